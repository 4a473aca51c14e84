"""The five simulated robomimic tasks on robosuite 1.5, as their datasets define them."""
