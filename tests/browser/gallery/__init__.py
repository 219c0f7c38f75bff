"""What there is to see of the portal: its pages in every state of an account."""
