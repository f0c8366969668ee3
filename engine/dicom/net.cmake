# Of the network: PDUs (PS3.8), DIMSE command sets (PS3.7), SOP Classes, and native data sets on their way to a peer.
target_sources(cairn_dicom PRIVATE pdu_decode.cpp pdu_encode.cpp dimse_message.cpp sop_classes.cpp recode.cpp)
