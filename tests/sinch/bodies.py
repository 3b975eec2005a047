"""Bodies of the Voice API, version 1, as Sinch's documents and the tests of its SDKs have them.

https://github.com/sinch/docs (voice-rest-api-recording.md), https://github.com/sinch/sinch-sdk-java (client/src/test),
https://github.com/sinch/sinch-sdk-node (packages/voice/tests).
"""

from typing import Any

Json = dict[str, Any]

CALL_ID = "01234567-89ab-cdef-fedc-ba9876543210"
DRIVE = "https://www.sinch.com/calling/v1/recording/"
DRIVE_NAME = f"201801010000_{CALL_ID}_{CALL_ID}"

ICE: Json = {
    "event": "ice",
    "callid": "1ce0ffee-ca11-ca11-ca11-abcdef000053",
    "callResourceUrl": "https://calling-use1.api.sinch.com/calling/v1/calls/id/1ce0ffee-ca11-ca11-ca11-abcdef000053",
    "timestamp": "2024-06-06T17:20:14Z",
    "version": 1,
    "userRate": {"currencyId": "USD", "amount": 0.0},
    "cli": "12015555555",
    "to": {"type": "did", "endpoint": "+12017777777"},
    "domain": "pstn",
    "applicationKey": "f00dcafe-abba-c0de-1dea-dabb1ed4caf3",
    "originationType": "PSTN",
    "rdnis": "",
}
ICE_OF_A_CONFERENCE: Json = {
    "event": "ice",
    "callid": "a call id",
    "conferenceId": "a conference id",
    "callResourceUrl": "https://calling-euc1.api.sinch.com/calling/v1/calls/id/a call id",
    "timestamp": "2024-01-16T16:46:36Z",
    "version": 1,
    "custom": "my custom",
    "userRate": {"currencyId": "USD", "amount": 0.0},
    "cli": "cli number",
    "to": {"type": "number", "endpoint": "+123456879"},
    "domain": "mxp",
    "applicationKey": "an app key",
    "originationType": "MXP",
    "rdnis": "rdnis value",
    "callHeaders": [{"key": "the key", "value": "the value"}],
}
ACE: Json = {
    "event": "ace",
    "callid": "a call id",
    "conferenceId": "a conference id",
    "timestamp": "2024-01-19T12:49:53Z",
    "version": 1,
    "custom": "my custom value",
    "applicationKey": "my application key",
    "amd": {"status": "human", "reason": "longgreeting", "duration": 15},
}
DICE: Json = {
    "event": "dice",
    "callid": "1ce0ffee-ca11-ca11-ca11-abcdef000033",
    "timestamp": "2024-06-06T16:59:42Z",
    "reason": "MANAGERHANGUP",
    "result": "ANSWERED",
    "version": 1,
    "custom": "Custom text",
    "debit": {"currencyId": "EUR", "amount": 0.0095},
    "userRate": {"currencyId": "EUR", "amount": 0.0095},
    "to": {"type": "number", "endpoint": "12017777777"},
    "applicationKey": "f00dcafe-abba-c0de-1dea-dabb1ed4caf3",
    "duration": 12,
    "from": "12015555555",
}
DICE_OF_A_PRIVATE_CALLER: Json = DICE | {"from": "private", "conferenceId": "a conference id"}
PIE: Json = {
    "event": "pie",
    "callid": "a call id",
    "conferenceId": "a conference id",
    "custom": "my custom value",
    "timestamp": "2024-01-23T15:04:28Z",
    "menuResult": {"type": "sequence", "value": "1452", "menuId": "confirm", "inputMethod": "dtmf"},
    "version": 1,
    "applicationKey": "my application key",
}
RECORDING_FINISHED: Json = {"event": "notify", "callid": CALL_ID, "version": 1, "type": "recording_finished"}
RECORDING_AVAILABLE: Json = {
    "event": "notify",
    "callid": CALL_ID,
    "version": 1,
    "type": "recording_available",
    "destination": f"{DRIVE}{DRIVE_NAME}.mp3",
}
RECORDING_AVAILABLE_AT_AZURE: Json = RECORDING_AVAILABLE | {
    "destination": "azure://sinchsdk/voice-recordings/my-recording.mp3"
}
TRANSCRIPTION_AVAILABLE: Json = RECORDING_AVAILABLE | {
    "type": "transcription_available",
    "destination": f"{DRIVE}{DRIVE_NAME}-transcript.json",
}
NOTIFY_WITH_ALL: Json = {
    "event": "notify",
    "callid": "a call id",
    "conferenceId": "a conference id",
    "custom": "my custom value",
    "version": 1,
    "type": "recording_finished",
    "destination": "a destination",
    "amd": {"status": "hangup", "reason": "initialsilence", "duration": 32},
}
CALLING_ERROR: Json = {
    "event": "notify",
    "version": 1,
    "type": "callingerror",
    "callid": CALL_ID,
    "errorCode": 40001,
    "errorMsg": "Illegal SVAML",
    "user": "somebody",
    "custom": "",
}
CALLBACKS = {
    name: value
    for name, value in list(globals().items())
    if isinstance(value, dict) and "event" in value and name != "Json"
}

CALL: Json = {
    "from": {"type": "Username", "endpoint": "user name endpoint validation"},
    "to": {"type": "Number", "endpoint": "+33123456789"},
    "domain": "pstn",
    "callId": "a call UUID",
    "duration": 138,
    "status": "FINAL",
    "result": "ANSWERED",
    "reason": "CALLEEHANGUP",
    "timestamp": "2024-01-08T09:48:12",
    "custom": "{}",
    "userRate": {"currencyId": "EUR", "amount": 0.1758},
    "debit": {"currencyId": "EUR", "amount": 0.5274},
}

CREDENTIALS = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY:eu-central-1"
OPTIONS: Json = {
    "destinationUrl": "s3://my-bucket/",
    "credentials": CREDENTIALS,
    "format": "mp3",
    "notificationEvents": True,
    "transcriptionOptions": {"enabled": True, "locale": "en-US"},
}
