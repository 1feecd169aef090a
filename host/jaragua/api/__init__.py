"""What `import jaragua` offers to Python code: tasks, simulations and their results, compiled networks, boards.

`jaragua` itself loads a module of this package when one of its names is first used.
"""
