"""The billing portal: pages for the members of accounts, and for the product's own people."""
