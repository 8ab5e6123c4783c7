// One client of MQTT.js that follows the commands described in ../README.md.
'use strict'

const fs = require('node:fs')
const readline = require('node:readline')
const mqtt = require('mqtt')

const encode = (value) => {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value))
  const safe = /[A-Za-z0-9\-._~/+#$:]/
  const parts = Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte)
    return safe.test(character) ? character : '%' + byte.toString(16).toUpperCase().padStart(2, '0')
  })
  return parts.join('')
}

const decode = (text) => {
  const bytes = []
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '%') {
      bytes.push(parseInt(text.slice(at + 1, at + 3), 16))
      at += 2
    } else {
      bytes.push(text.charCodeAt(at))
    }
  }
  return Buffer.from(bytes)
}

// Prints a fact; pairs without a value are left out.
const fact = (word, pairs = []) => {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null)
  const line = [word, ...shown.map(([name, value]) => `${name}=${encode(value)}`)].join(' ')
  process.stdout.write(line + '\n')
}

class Command {
  constructor (line) {
    const [word, ...pairs] = line.split(' ')
    this.word = word
    this.pairs = pairs.map((pair) => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at), decode(pair.slice(at + 1))]
    })
  }

  all (name) {
    return this.pairs.filter(([key]) => key === name).map(([, value]) => value)
  }

  bytes (name) {
    return this.all(name)[0]
  }

  text (name) {
    return this.bytes(name)?.toString()
  }

  number (name) {
    const text = this.text(name)
    return text === undefined ? undefined : Number(text)
  }

  flag (name) {
    return this.number(name) === 1
  }

  userProperties (name) {
    const properties = Object.create(null)
    for (const pair of this.all(name)) {
      const [key, ...rest] = pair.toString().split('=')
      properties[key] = [...(properties[key] ?? []), rest.join('=')]
    }
    return Object.keys(properties).length > 0 ? properties : undefined
  }
}

// Without the properties that the command does not name: the library encodes `undefined` too.
const present = (properties) => {
  const entries = Object.entries(properties).filter(([, value]) => value !== undefined)
  return entries.length > 0 ? Object.fromEntries(entries) : undefined
}

const connectOptions = (command) => {
  const version = command.number('version') ?? 4
  const transport = command.text('transport') ?? 'tcp'
  const file = (name) => command.all(name).length > 0 ? fs.readFileSync(command.text(name)) : undefined
  const options = {
    protocol: transport === 'tls' ? 'mqtts' : transport === 'tcp' ? 'mqtt' : transport,
    protocolVersion: version,
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    host: command.text('host') ?? '127.0.0.1',
    port: command.number('port'),
    path: command.text('path'),
    ca: file('ca'),
    cert: file('certificate'),
    key: file('key'),
    clientId: command.text('id') ?? '',
    clean: command.flag('clean'),
    keepalive: command.number('keep_alive') ?? 60,
    username: command.text('user_name'),
    password: command.bytes('password'),
    reconnectPeriod: 0,
    resubscribe: false
  }
  if (version === 5) {
    options.properties = present({
      sessionExpiryInterval: command.number('session_expiry'),
      receiveMaximum: command.number('receive_maximum'),
      topicAliasMaximum: command.number('topic_alias_maximum')
    })
  }
  if (command.text('will_topic') !== undefined) {
    options.will = will(command, version)
  }
  return options
}

const will = (command, version) => ({
  topic: command.text('will_topic'),
  payload: command.bytes('will_payload'),
  qos: command.number('will_qos') ?? 0,
  retain: command.flag('will_retain'),
  properties: version < 5
    ? undefined
    : present({
      willDelayInterval: command.number('will_delay'),
      contentType: command.text('will_content_type'),
      userProperties: command.userProperties('will_user')
    })
})

const messagePairs = (topic, payload, packet) => {
  const properties = packet.properties ?? {}
  const users = Object.entries(properties.userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => ['user', `${name}=${value}`]))
  const identifiers = [properties.subscriptionIdentifier ?? []].flat()
  return [
    ['topic', topic],
    ['payload', payload],
    ['qos', packet.qos],
    ['retain', Number(packet.retain)],
    ['format', properties.payloadFormatIndicator && 1],
    ['expiry', properties.messageExpiryInterval],
    ['content_type', properties.contentType],
    ['response', properties.responseTopic],
    ['correlation', properties.correlationData],
    ...users,
    ...identifiers.map((identifier) => ['subscription_id', identifier])
  ]
}

let client
// The library keeps the reason code of a successful acknowledgement to itself.
const reasons = new Map()

const commands = {
  connect (command) {
    let reason
    let refused = false
    client = mqtt.connect(connectOptions(command))
    client.on('connect', (packet) => fact('connected', [
      ['session_present', Number(packet.sessionPresent)],
      ['assigned_id', packet.properties?.assignedClientIdentifier]
    ]))
    client.on('message', (topic, payload, packet) => fact('message', messagePairs(topic, payload, packet)))
    client.on('packetreceive', ({ cmd, messageId, reasonCode }) => {
      if (cmd === 'puback' || cmd === 'pubcomp') reasons.set(messageId, reasonCode)
    })
    client.on('disconnect', (packet) => { reason = packet.reasonCode })
    client.on('error', (error) => {
      refused = true
      const isCode = typeof error.code === 'number'
      fact(isCode ? 'refused' : 'failed', [[isCode ? 'reason' : 'why', isCode ? error.code : error.message]])
    })
    client.on('close', () => refused || fact('closed', [['reason', reason]]))
  },

  subscribe (command) {
    const isV5 = client.options.protocolVersion === 5
    const options = { qos: command.number('qos') ?? 0 }
    if (isV5) {
      options.nl = command.flag('no_local')
      options.rap = command.flag('retain_as_published')
      options.rh = command.number('retain_handling') ?? 0
      options.properties = present({ subscriptionIdentifier: command.number('subscription_id') })
    }
    client.subscribe(command.text('filter'), options, (error, granted, packet) => {
      const codes = packet?.granted ?? granted.map(({ qos }) => qos)
      fact('subscribed', [['codes', codes.join(':')]])
    })
  },

  unsubscribe (command) {
    client.unsubscribe(command.text('filter'), () => fact('unsubscribed'))
  },

  publish (command) {
    const options = { qos: command.number('qos') ?? 0, retain: command.flag('retain') }
    if (client.options.protocolVersion === 5) {
      options.properties = present({
        payloadFormatIndicator: command.number('format') === undefined ? undefined : command.flag('format'),
        messageExpiryInterval: command.number('expiry'),
        contentType: command.text('content_type'),
        responseTopic: command.text('response'),
        correlationData: command.bytes('correlation'),
        topicAlias: command.number('alias'),
        userProperties: command.userProperties('user')
      })
    }
    client.publish(command.text('topic') ?? '', command.bytes('payload') ?? '', options, (error, packet) => {
      fact('published', [['reason', error?.code ?? reasons.get(packet?.messageId) ?? 0]])
      reasons.delete(packet?.messageId)
    })
  },

  disconnect (command) {
    const options = {
      reasonCode: command.number('reason') ?? 0,
      properties: present({ sessionExpiryInterval: command.number('session_expiry') })
    }
    client.end(false, client.options.protocolVersion === 5 ? options : {})
  }
}

readline.createInterface({ input: process.stdin })
  .on('line', (line) => {
    const command = new Command(line)
    try {
      commands[command.word](command)
    } catch (error) {
      fact('failed', [['why', error.message]])
    }
  })
  .on('close', () => process.exit(0))
