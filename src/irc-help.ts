// Layer 3. What HELP says about each command.

/** How it is written, and what it does, a line each. */
type Help = readonly [usage: string, ...lines: string[]];

export const HELP: ReadonlyMap<string, Help> = new Map<string, Help>([
  ['ADMIN', ['ADMIN [server]', 'Who runs this server, if it says so.']],
  ['AUTHENTICATE', ['AUTHENTICATE mechanism | data | *', 'Logs in to an account by SASL PLAIN; * gives up.']],
  ['AWAY', ['AWAY [text]', 'Others are told that you are away, and why; without a text you are back.']],
  ['CAP', ['CAP LS [version] | LIST | REQ :names | END', 'What client and server can do beyond plain IRC.']],
  [
    'CHATHISTORY',
    [
      'CHATHISTORY LATEST|BEFORE|AFTER|AROUND channel reference limit',
      'CHATHISTORY BETWEEN channel reference reference limit',
      'CHATHISTORY TARGETS timestamp timestamp limit',
      'What was said before. A reference is msgid=..., timestamp=... or (for LATEST) *.',
    ],
  ],
  ['ERROR', ['ERROR text', 'Servers say this. From a client it does nothing.']],
  ['HELP', ['HELP [command]', 'What a command does, or which there are.']],
  ['HELPOP', ['HELPOP [command]', 'The same as HELP.']],
  ['INFO', ['INFO [server]', 'What this server is.']],
  ['INVITE', ['INVITE nick channel', 'Asks somebody in. Without parameters: the channels that you are asked into.']],
  ['ISON', ['ISON nick [nick ...]', 'Which of these are here.']],
  [
    'JOIN',
    [
      'JOIN channel[,channel ...] [key[,key ...]]',
      'Enters channels; those that nobody has made are made. JOIN 0 leaves all.',
    ],
  ],
  ['KICK', ['KICK channel nick[,nick ...] [reason]', 'Puts somebody out of a channel, for its operators.']],
  ['KILL', ['KILL nick reason', 'Puts somebody off the server, for its operators.']],
  ['LINKS', ['LINKS', 'Which servers there are.']],
  ['LIST', ['LIST [channel,... | condition,...]', 'Which channels there are, how many are in, and what about.']],
  ['LUSERS', ['LUSERS', 'How many people and channels there are.']],
  ['MARKREAD', ['MARKREAD target [timestamp=...]', 'Up to where you have read; your other clients are told.']],
  [
    'MODE',
    [
      'MODE nick [modes]',
      'MODE channel [modes [parameters]]',
      'Of yourself: B a program, i invisible, w hears WALLOPS.',
      'Of a channel: o operator, v voice, b banned, e exempt, I as good as invited, i for the invited, k key, l limit,',
      'm only operators and voices speak, n only members speak, s secret, t operators set the topic.',
    ],
  ],
  ['MONITOR', ['MONITOR + nicks | - nicks | C | L | S', 'You are told when these come and go.']],
  ['MOTD', ['MOTD [server]', 'The message of the day.']],
  ['NAMES', ['NAMES [channel,...]', 'Who is in a channel.']],
  ['NICK', ['NICK name', 'What you want to be called.']],
  ['NOTICE', ['NOTICE target[,target ...] :text', 'As PRIVMSG, but no program answers.']],
  ['OPER', ['OPER name password', 'Makes you an operator of the server, with the password of an account that is one.']],
  ['PART', ['PART channel[,channel ...] [reason]', 'Leaves channels.']],
  ['PASS', ['PASS [name:]password', 'First of all: logs in to the account that is called like you, or that one.']],
  ['PING', ['PING token', 'Is answered with PONG and the token.']],
  ['PONG', ['PONG token', 'Answers PING.']],
  ['PRIVMSG', ['PRIVMSG target[,target ...] :text', 'Says something to a channel or to somebody.']],
  ['QUIT', ['QUIT [reason]', 'Ends the connection.']],
  ['REGISTER', ['REGISTER account|* email|* password', 'Makes an account; * is the one that is called like you.']],
  ['SETNAME', ['SETNAME :name', 'Your real name, or what stands for it.']],
  ['STATS', ['STATS u', 'How long this server has been up.']],
  ['TAGMSG', ['TAGMSG target[,target ...]', 'Tags without a text.']],
  ['TIME', ['TIME [server]', 'What time it is here.']],
  ['TOPIC', ['TOPIC channel [:text]', 'What a channel is about; an empty text takes that away.']],
  ['USER', ['USER name 0 * :real name', 'Who you are, when you connect.']],
  ['USERHOST', ['USERHOST nick [nick ...]', 'Where these come from, and whether they are away.']],
  ['VERIFY', ['VERIFY account code', 'Confirms a new account; here they are good at once.']],
  ['VERSION', ['VERSION [server]', 'Which server this is, and what it can do.']],
  ['WALLOPS', ['WALLOPS :text', 'To everybody who hears WALLOPS (MODE +w), for operators of the server.']],
  ['WHO', ['WHO mask [%fields[,token]]', 'Who is in a channel, or is called so.']],
  ['WHOIS', ['WHOIS [server] nick', 'What is known of somebody.']],
  ['WHOWAS', ['WHOWAS nick [count]', 'What was known of somebody who has gone.']],
]);

/** Without a subject. */
export const OVERVIEW: readonly string[] = [
  'Channels are rooms of this server: clients of other protocols are in them, too.',
  'HELP and a command tells more about it. The commands are',
];
