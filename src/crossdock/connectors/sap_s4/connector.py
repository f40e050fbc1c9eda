"""The connector's abilities put together: what SAP booked comes back as receipts, what it changed as notices."""

from crossdock.connect.basic import authenticate
from crossdock.connect.contract import Connector
from crossdock.connectors.sap_s4.client import SapClient
from crossdock.connectors.sap_s4.events import to_events
from crossdock.connectors.sap_s4.mapping import render
from crossdock.connectors.sap_s4.posting_dates import redate
from crossdock.connectors.sap_s4.signing import sign
from crossdock.connectors.sap_s4.stock import SapStock

CONNECTOR = Connector(
    authenticate=authenticate,
    translate=to_events,
    render=render,
    open=SapClient,
    sign=sign,
    stock=SapStock,
    redate=redate,
)
