"""How fast: environments, episodes, policies and loaders, ours and others', in the same run."""
