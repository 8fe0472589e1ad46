"""Learning-based video motion magnification (Oh et al., ECCV 2018): network, training and use."""
