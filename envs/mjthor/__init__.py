"""MJThor-SPOC: a 13-DoF mobile manipulator in procedurally generated MuJoCo houses."""
