"""What stands beside every prediction that is shown."""

NOT_FOR_DIAGNOSIS = "Not for diagnosis: no figure or prediction here is a medical finding."
