"""A virtual environment for each simulator, in the cache folder.

``environments`` finds them and sets them up, ``build`` makes one, ``installers`` are uv and pip,
``process`` runs them, ``problems`` says what their errors mean, ``consent`` asks the user.
``check`` runs inside a new environment.
"""
