"""Thing Descriptions (W3C WoT TD 1.1) of nodes and devices."""
