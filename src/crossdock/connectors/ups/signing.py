"""What UPS sends with a tracking push: no signature, only the credential that was agreed."""

from collections.abc import Mapping

from crossdock.connect.contract import Account, Inbound

CREDENTIAL_HEADER = "credential"


def sign(_message: Inbound, account: Account, _topic: str) -> Mapping[str, str]:
    """The headers of one push; UPS has neither topics nor delivery ids."""
    return {"content-type": "application/json", CREDENTIAL_HEADER: account.secrets["webhook_credential"]}
