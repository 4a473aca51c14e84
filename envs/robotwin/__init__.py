"""RoboTwin's environment: SAPIEN 3."""
