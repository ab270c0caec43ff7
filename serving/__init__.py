"""The HTTP endpoint: a request becomes one row, `pfps_ml.assess` answers, a message goes back."""
