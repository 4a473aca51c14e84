"""DexArt's environment: SAPIEN 2."""
