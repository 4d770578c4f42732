"""The read models of the distributed profile: their groups, their generations, their readers and their caches."""
