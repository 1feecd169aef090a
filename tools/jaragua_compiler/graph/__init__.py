"""What a network is: layers, shapes, the tensors between them, and the weights it begins with."""
