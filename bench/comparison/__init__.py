"""Two folders of translated pictures held against each other."""
