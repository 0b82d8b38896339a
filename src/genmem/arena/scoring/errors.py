"""The two ways in which scoring fails for good: whose fault it is decides who reads why."""


class SubmissionError(Exception):
    """The submission is at fault. The message is for its team."""


class SetupError(Exception):
    """The competition's setup or this machine is at fault, and retrying does not help.

    The message is for organizers only: it may name their files.
    """
