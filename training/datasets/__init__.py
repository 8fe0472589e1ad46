"""The public micro-expression data sets as they lie on disk, read into one record."""
