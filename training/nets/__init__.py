"""The networks: small convolutional nets whose graphs also hold the normalisation of their input."""
