/* One client of Paho C (MQTTAsync) that follows the commands described in ../README.md. */

#include <MQTTAsync.h>
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 32

struct pair {
    const char *name;
    char *value; /* decoded, with a terminating zero that does not count */
    int length;
};

struct command {
    const char *word;
    struct pair pairs[PAIRS_MAX];
    int count;
};

/* What a property is called here and by the library. */
struct property_name {
    const char *name;
    enum MQTTPropertyCodes code;
};

static const struct property_name PUBLISH_PROPERTIES[] = {
    {"format", MQTTPROPERTY_CODE_PAYLOAD_FORMAT_INDICATOR},
    {"expiry", MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL},
    {"content_type", MQTTPROPERTY_CODE_CONTENT_TYPE},
    {"response", MQTTPROPERTY_CODE_RESPONSE_TOPIC},
    {"correlation", MQTTPROPERTY_CODE_CORRELATION_DATA},
    {"alias", MQTTPROPERTY_CODE_TOPIC_ALIAS},
    {"user", MQTTPROPERTY_CODE_USER_PROPERTY},
    {"subscription_id", MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER},
    {NULL, 0},
};

static const struct property_name CONNECT_PROPERTIES[] = {
    {"session_expiry", MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL},
    {"receive_maximum", MQTTPROPERTY_CODE_RECEIVE_MAXIMUM},
    {"topic_alias_maximum", MQTTPROPERTY_CODE_TOPIC_ALIAS_MAXIMUM},
    {NULL, 0},
};

static const struct property_name WILL_PROPERTIES[] = {
    {"will_delay", MQTTPROPERTY_CODE_WILL_DELAY_INTERVAL},
    {"will_content_type", MQTTPROPERTY_CODE_CONTENT_TYPE},
    {"will_user", MQTTPROPERTY_CODE_USER_PROPERTY},
    {NULL, 0},
};

static MQTTAsync client;
static int version;
static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

/* ---- facts ---- */

static void begin(const char *word) {
    pthread_mutex_lock(&output);
    fputs(word, stdout);
}

static void end(void) {
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static void put_encoded(const char *bytes, int length) {
    for (int at = 0; at < length; at++) {
        unsigned char byte = (unsigned char)bytes[at];
        if (isalnum(byte) || (byte != 0 && strchr("-._~/+#$:", byte) != NULL)) {
            putchar(byte);
        } else {
            printf("%%%02X", byte);
        }
    }
}

static void put_bytes(const char *name, const char *bytes, int length) {
    printf(" %s=", name);
    put_encoded(bytes, length);
}

static void put_number(const char *name, long number) {
    printf(" %s=%ld", name, number);
}

static void failed(const char *what, int code) {
    const char *why = MQTTAsync_strerror(code);
    begin("failed");
    printf(" why=%s:%d:", what, code);
    put_encoded(why ? why : "", why ? (int)strlen(why) : 0);
    end();
}

/* ---- commands ---- */

static int hexadecimal(char digit) {
    return isdigit((unsigned char)digit) ? digit - '0' : toupper((unsigned char)digit) - 'A' + 10;
}

/* Decodes %XX in place; returns the length. */
static int decode(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '%' && from[1] != '\0' && from[2] != '\0') {
            *to++ = (char)(hexadecimal(from[1]) * 16 + hexadecimal(from[2]));
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return (int)(to - text);
}

static void parse(char *line, struct command *command) {
    char *rest = line;
    command->word = strsep(&rest, " ");
    command->count = 0;
    while (rest != NULL && command->count < PAIRS_MAX) {
        char *value = strsep(&rest, " ");
        struct pair *pair = &command->pairs[command->count++];
        pair->name = strsep(&value, "=");
        pair->value = value;
        pair->length = decode(value);
    }
}

static const struct pair *find(const struct command *command, const char *name) {
    for (int at = 0; at < command->count; at++) {
        if (strcmp(command->pairs[at].name, name) == 0) {
            return &command->pairs[at];
        }
    }
    return NULL;
}

static char *text(const struct command *command, const char *name) {
    const struct pair *pair = find(command, name);
    return pair ? pair->value : NULL;
}

static int number(const struct command *command, const char *name, int absent) {
    const struct pair *pair = find(command, name);
    return pair ? atoi(pair->value) : absent;
}

static void add_property(MQTTProperties *properties, enum MQTTPropertyCodes code, const struct pair *pair) {
    MQTTProperty property = {.identifier = code};
    switch (MQTTProperty_getType(code)) {
    case MQTTPROPERTY_TYPE_BYTE:
        property.value.byte = (unsigned char)atoi(pair->value);
        break;
    case MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER:
        property.value.integer2 = (unsigned short)atoi(pair->value);
        break;
    case MQTTPROPERTY_TYPE_FOUR_BYTE_INTEGER:
    case MQTTPROPERTY_TYPE_VARIABLE_BYTE_INTEGER:
        property.value.integer4 = (unsigned int)strtoul(pair->value, NULL, 10);
        break;
    case MQTTPROPERTY_TYPE_UTF_8_STRING_PAIR: {
        char *separator = memchr(pair->value, '=', pair->length);
        property.value.data = (MQTTLenString){(int)(separator - pair->value), pair->value};
        property.value.value =
            (MQTTLenString){pair->length - (int)(separator - pair->value) - 1, separator + 1};
        break;
    }
    default:
        property.value.data = (MQTTLenString){pair->length, pair->value};
    }
    MQTTProperties_add(properties, &property);
}

static void add_properties(MQTTProperties *properties, const struct property_name *names,
                           const struct command *command) {
    for (int at = 0; at < command->count; at++) {
        for (const struct property_name *name = names; name->name != NULL; name++) {
            if (strcmp(name->name, command->pairs[at].name) == 0) {
                add_property(properties, name->code, &command->pairs[at]);
            }
        }
    }
}

/* ---- what the library reports ---- */

static void put_property(const char *name, const MQTTProperty *property) {
    switch (MQTTProperty_getType(property->identifier)) {
    case MQTTPROPERTY_TYPE_BYTE:
        put_number(name, property->value.byte);
        break;
    case MQTTPROPERTY_TYPE_TWO_BYTE_INTEGER:
        put_number(name, property->value.integer2);
        break;
    case MQTTPROPERTY_TYPE_FOUR_BYTE_INTEGER:
    case MQTTPROPERTY_TYPE_VARIABLE_BYTE_INTEGER:
        put_number(name, (long)property->value.integer4);
        break;
    case MQTTPROPERTY_TYPE_UTF_8_STRING_PAIR:
        put_bytes(name, property->value.data.data, property->value.data.len);
        fputs("%3D", stdout);
        put_encoded(property->value.value.data, property->value.value.len);
        break;
    default:
        put_bytes(name, property->value.data.data, property->value.data.len);
    }
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message) {
    (void)context;
    begin("message");
    put_bytes("topic", topic, topic_length > 0 ? topic_length : (int)strlen(topic));
    put_bytes("payload", message->payload, message->payloadlen);
    put_number("qos", message->qos);
    put_number("retain", message->retained);
    for (const struct property_name *name = PUBLISH_PROPERTIES; name->name != NULL; name++) {
        for (int at = 0; at < message->properties.count; at++) {
            if (message->properties.array[at].identifier == name->code) {
                put_property(name->name, &message->properties.array[at]);
            }
        }
    }
    end();
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void on_lost(void *context, char *cause) {
    (void)context;
    (void)cause;
    if (version < MQTTVERSION_5) {
        begin("closed");
        end();
    }
}

static void on_server_disconnect(void *context, MQTTProperties *properties, enum MQTTReasonCodes reason) {
    (void)context;
    (void)properties;
    begin("closed");
    put_number("reason", reason);
    end();
}

static void on_connected(void *context, MQTTAsync_successData *data) {
    (void)context;
    begin("connected");
    put_number("session_present", data->alt.connect.sessionPresent);
    end();
}

static void on_connected5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    begin("connected");
    put_number("session_present", data->alt.connect.sessionPresent);
    MQTTProperty *assigned =
        MQTTProperties_getProperty(&data->properties, MQTTPROPERTY_CODE_ASSIGNED_CLIENT_IDENTIFER);
    if (assigned != NULL) {
        put_property("assigned_id", assigned);
    }
    end();
}

static void on_refused(void *context, MQTTAsync_failureData *data) {
    (void)context;
    begin("refused");
    put_number("reason", data->code);
    end();
}

static void on_refused5(void *context, MQTTAsync_failureData5 *data) {
    (void)context;
    begin("refused");
    put_number("reason", data->reasonCode);
    end();
}

static void on_disconnected(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    begin("closed");
    end();
}

static void on_disconnected5(void *context, MQTTAsync_successData5 *data) {
    (void)data;
    on_disconnected(context, NULL);
}

static void on_subscribed(void *context, MQTTAsync_successData *data) {
    (void)context;
    begin("subscribed");
    put_number("codes", data->alt.qos);
    end();
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    begin("subscribed");
    put_number("codes", data->reasonCode);
    end();
}

static void on_not_subscribed(void *context, MQTTAsync_failureData *data) {
    (void)context;
    begin("subscribed");
    put_number("codes", data->code);
    end();
}

static void on_not_subscribed5(void *context, MQTTAsync_failureData5 *data) {
    (void)context;
    begin("subscribed");
    put_number("codes", data->reasonCode);
    end();
}

static void on_unsubscribed(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    begin("unsubscribed");
    end();
}

static void on_unsubscribed5(void *context, MQTTAsync_successData5 *data) {
    (void)data;
    on_unsubscribed(context, NULL);
}

static void on_published(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    begin("published");
    put_number("reason", 0);
    end();
}

static void on_published5(void *context, MQTTAsync_successData5 *data) {
    (void)context;
    begin("published");
    put_number("reason", data->reasonCode);
    end();
}

static void on_not_published(void *context, MQTTAsync_failureData *data) {
    (void)context;
    failed("publish", data->code);
}

static void on_not_published5(void *context, MQTTAsync_failureData5 *data) {
    (void)context;
    begin("published");
    put_number("reason", data->reasonCode);
    end();
}

/* ---- what the commands do ---- */

static int create(const struct command *command) {
    const char *transport = text(command, "transport");
    const char *path = text(command, "path");
    int is_websocket = strcmp(transport, "ws") == 0 || strcmp(transport, "wss") == 0;
    const char *scheme = strcmp(transport, "tls") == 0 ? "ssl" : transport;
    char uri[512];
    snprintf(uri, sizeof uri, "%s://%s:%s%s", scheme, text(command, "host"), text(command, "port"),
             is_websocket && path ? path : "");
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = version;
    const char *id = text(command, "id");
    int code = MQTTAsync_createWithOptions(&client, uri, id ? id : "", MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (code == MQTTASYNC_SUCCESS) {
        MQTTAsync_setCallbacks(client, NULL, on_lost, on_message, NULL);
        MQTTAsync_setDisconnected(client, NULL, on_server_disconnect);
    }
    return code;
}

static MQTTAsync_connectOptions connect_options(int is_websocket) {
    MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions v3_websocket = MQTTAsync_connectOptions_initializer_ws;
    MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_connectOptions v5_websocket = MQTTAsync_connectOptions_initializer5_ws;
    if (version == MQTTVERSION_5) {
        return is_websocket ? v5_websocket : v5;
    }
    return is_websocket ? v3_websocket : v3;
}

static void do_connect(const struct command *command) {
    version = number(command, "version", 4);
    int code = create(command);
    if (code != MQTTASYNC_SUCCESS) {
        failed("create", code);
        return;
    }
    const char *transport = text(command, "transport");
    int is_websocket = transport[0] == 'w';
    MQTTAsync_connectOptions options = connect_options(is_websocket);
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperties will_properties = MQTTProperties_initializer;
    options.keepAliveInterval = number(command, "keep_alive", 60);
    options.username = text(command, "user_name");
    options.password = text(command, "password");
    if (version == MQTTVERSION_5) {
        options.cleanstart = number(command, "clean", 0);
        options.onSuccess5 = on_connected5;
        options.onFailure5 = on_refused5;
        add_properties(&properties, CONNECT_PROPERTIES, command);
        add_properties(&will_properties, WILL_PROPERTIES, command);
        options.connectProperties = &properties;
        options.willProperties = find(command, "will_topic") ? &will_properties : NULL;
    } else {
        options.MQTTVersion = version;
        options.cleansession = number(command, "clean", 0);
        options.onSuccess = on_connected;
        options.onFailure = on_refused;
    }
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    const struct pair *payload = find(command, "will_payload");
    if (payload != NULL) {
        will.topicName = text(command, "will_topic");
        will.payload.data = payload->value;
        will.payload.len = payload->length;
        will.qos = number(command, "will_qos", 0);
        will.retained = number(command, "will_retain", 0);
        options.will = &will;
    }
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    tls.trustStore = text(command, "ca");
    tls.keyStore = text(command, "certificate");
    tls.privateKey = text(command, "key");
    tls.verify = 1;
    if (strcmp(transport, "tls") == 0 || strcmp(transport, "wss") == 0) {
        options.ssl = &tls;
    }
    code = MQTTAsync_connect(client, &options);
    if (code != MQTTASYNC_SUCCESS) {
        failed("connect", code);
    }
}

static void do_subscribe(const struct command *command) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    if (version == MQTTVERSION_5) {
        options.onSuccess5 = on_subscribed5;
        options.onFailure5 = on_not_subscribed5;
        options.subscribeOptions.noLocal = (unsigned char)number(command, "no_local", 0);
        options.subscribeOptions.retainAsPublished = (unsigned char)number(command, "retain_as_published", 0);
        options.subscribeOptions.retainHandling = (unsigned char)number(command, "retain_handling", 0);
        add_properties(&options.properties, PUBLISH_PROPERTIES, command);
    } else {
        options.onSuccess = on_subscribed;
        options.onFailure = on_not_subscribed;
    }
    int code = MQTTAsync_subscribe(client, text(command, "filter"), number(command, "qos", 0), &options);
    if (code != MQTTASYNC_SUCCESS) {
        failed("subscribe", code);
    }
}

static void do_unsubscribe(const struct command *command) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    if (version == MQTTVERSION_5) {
        options.onSuccess5 = on_unsubscribed5;
    } else {
        options.onSuccess = on_unsubscribed;
    }
    int code = MQTTAsync_unsubscribe(client, text(command, "filter"), &options);
    if (code != MQTTASYNC_SUCCESS) {
        failed("unsubscribe", code);
    }
}

static void do_publish(const struct command *command) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    MQTTAsync_message message = MQTTAsync_message_initializer;
    const struct pair *payload = find(command, "payload");
    message.payload = payload ? payload->value : "";
    message.payloadlen = payload ? payload->length : 0;
    message.qos = number(command, "qos", 0);
    message.retained = number(command, "retain", 0);
    if (version == MQTTVERSION_5) {
        options.onSuccess5 = on_published5;
        options.onFailure5 = on_not_published5;
        add_properties(&message.properties, PUBLISH_PROPERTIES, command);
    } else {
        options.onSuccess = on_published;
        options.onFailure = on_not_published;
    }
    const char *topic = text(command, "topic");
    int code = MQTTAsync_sendMessage(client, topic ? topic : "", &message, &options);
    if (code != MQTTASYNC_SUCCESS) {
        failed("publish", code);
    }
    MQTTProperties_free(&message.properties);
}

static void do_disconnect(const struct command *command) {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;
    int code;
    if (version == MQTTVERSION_5) {
        options5.reasonCode = (enum MQTTReasonCodes)number(command, "reason", 0);
        options5.onSuccess5 = on_disconnected5;
        add_properties(&options5.properties, CONNECT_PROPERTIES, command);
        code = MQTTAsync_disconnect(client, &options5);
    } else {
        options.onSuccess = on_disconnected;
        code = MQTTAsync_disconnect(client, &options);
    }
    if (code != MQTTASYNC_SUCCESS) {
        failed("disconnect", code);
    }
}

int main(void) {
    static const struct {
        const char *word;
        void (*run)(const struct command *);
    } COMMANDS[] = {
        {"connect", do_connect},       {"subscribe", do_subscribe},   {"unsubscribe", do_unsubscribe},
        {"publish", do_publish},       {"disconnect", do_disconnect},
    };
    char *line = NULL;
    size_t capacity = 0;
    MQTTAsync_init_options init = MQTTAsync_init_options_initializer;
    init.do_openssl_init = 1;
    MQTTAsync_global_init(&init);
    while (getline(&line, &capacity, stdin) > 0) {
        struct command command;
        line[strcspn(line, "\n")] = '\0';
        parse(line, &command);
        for (size_t at = 0; at < sizeof COMMANDS / sizeof *COMMANDS; at++) {
            if (strcmp(COMMANDS[at].word, command.word) == 0) {
                COMMANDS[at].run(&command);
            }
        }
    }
    free(line);
    return 0;
}
