"""A standing attack: inputs mutated with knowledge of their structure, given to every reader.

    python -m tests.attacks.fuzz 100000 --seed 1 --jobs 2
    make fuzz N=100000

`seeds` has the files that everything begins with, `files` and `pictures` change .nfc files and images, `examine` gives
one input to the readers and says what became of it, `worker` does so for many in a process that may not grow,
`minimise` makes a find small, and `__main__` starts workers and prints what they found.
"""
