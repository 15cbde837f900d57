"""Every command of the documents, run; and what the runbook says of dead letters."""
