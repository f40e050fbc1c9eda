"""SAP S/4HANA over its released OData services, and the journal entry SOAP service."""
