"""The scripted expert: drives, reaches and grasps by the state of the simulation."""
