"""SAP S/4HANA: outbound only. SAP tells nothing by itself; what it booked comes back as receipts."""

from crossdock.connect.contract import Connector
from crossdock.connectors.sap_s4.client import SapClient
from crossdock.connectors.sap_s4.mapping import render

CONNECTOR = Connector(render=render, open=SapClient)
