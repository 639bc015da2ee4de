"""Bulk import of CRM activity history: exports in, HubSpot engagements out, each exactly once."""

__version__ = "0.1.0"
