"""A virtual environment for each simulator, in the cache folder.

``environments`` finds them and sets them up, ``build`` makes one, ``installers`` are uv and pip,
``process`` runs them on a ``leash``, ``problems`` says what their errors mean, ``consent`` asks the
user, ``lock`` lets one process at a time. ``check`` runs inside a new environment. ``rendering``
sets up the software driver of :mod:`envs.vulkan`.
"""
