//! Which sessions want a topic: subscriptions, shared groups, retained messages
