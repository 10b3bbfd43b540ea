"""The messages of the protocol, generated from hellocnn/v1/classifier_service.proto."""
