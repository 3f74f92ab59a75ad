"""UniTrans: teachers of the source and of its translation, and their vote (IJCAI 2020)."""
