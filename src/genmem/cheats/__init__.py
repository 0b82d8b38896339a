"""The four ways of cheating seen in the competition, to calibrate and test against."""
