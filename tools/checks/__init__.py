"""What a maintainer and CI ask of the whole workspace, beyond its tests."""
