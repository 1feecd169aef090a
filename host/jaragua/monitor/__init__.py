"""What `jaragua monitor` shows: a board's link decoded into lines for a person, or JSON lines for a program."""
