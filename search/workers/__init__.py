"""Who trains: processes of a Ray, one stage run after the other in each."""
