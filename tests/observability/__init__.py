"""What operators see of audit lines: the index, queries, dashboard and alerts of Log Service, CloudMonitor's alarms."""
