//! The grammar of random scripts.

use super::super::input::Input;

/// Variables of every script.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// What can be called, and some of what cannot.
const FUNCTIONS: &[&str] = &[
    "assert",
    "error",
    "getmetatable",
    "setmetatable",
    "ipairs",
    "pairs",
    "next",
    "pcall",
    "xpcall",
    "rawequal",
    "rawget",
    "rawset",
    "select",
    "tonumber",
    "tostring",
    "type",
    "unpack",
    "load",
    "loadstring",
    "gcinfo",
    "collectgarbage",
    "string.byte",
    "string.char",
    "string.dump",
    "string.find",
    "string.format",
    "string.gmatch",
    "string.gfind",
    "string.gsub",
    "string.len",
    "string.lower",
    "string.match",
    "string.rep",
    "string.reverse",
    "string.sub",
    "string.upper",
    "table.concat",
    "table.foreach",
    "table.foreachi",
    "table.getn",
    "table.insert",
    "table.maxn",
    "table.remove",
    "table.setn",
    "table.sort",
    "math.abs",
    "math.ceil",
    "math.deg",
    "math.exp",
    "math.floor",
    "math.fmod",
    "math.frexp",
    "math.ldexp",
    "math.log",
    "math.max",
    "math.min",
    "math.modf",
    "math.pow",
    "math.random",
    "math.randomseed",
    "math.sqrt",
    "os.clock",
    "coroutine.create",
    "coroutine.resume",
    "coroutine.running",
    "coroutine.status",
    "coroutine.wrap",
    "coroutine.yield",
    "bit.arshift",
    "bit.band",
    "bit.bnot",
    "bit.bor",
    "bit.bswap",
    "bit.bxor",
    "bit.lshift",
    "bit.rol",
    "bit.ror",
    "bit.rshift",
    "bit.tobit",
    "bit.tohex",
    "cjson.decode",
    "cjson.encode",
    "cjson.new",
    "cmsgpack.pack",
    "cmsgpack.unpack",
    "cmsgpack.unpack_limit",
    "cmsgpack.unpack_one",
    "struct.pack",
    "struct.unpack",
    "struct.size",
    "redis.call",
    "redis.pcall",
    "redis.log",
    "redis.sha1hex",
    "redis.error_reply",
    "redis.status_reply",
    "redis.setresp",
    "redis.set_repl",
    "redis.replicate_commands",
    "redis.breakpoint",
    "redis.debug",
    "redis.acl_check_cmd",
    "redis.register_function",
    "getfenv",
    "setfenv",
    "newproxy",
    "require",
    "print",
    "_G.rawset",
    "a",
    "b",
    "c",
];
/// Commands, with what may follow them.
const COMMANDS: &[&str] = &[
    "'GET','v:1'",
    "'GET',KEYS[1]",
    "'SET',KEYS[1],a",
    "'SET','v:1',a",
    "'APPEND','a:1','x'",
    "'INCR','a:2'",
    "'MGET','a:1','v:1'",
    "'LPUSH','a:3',b,1",
    "'LRANGE','a:3',0,-1",
    "'HSET','a:3','f',a",
    "'HGETALL','a:3'",
    "'ZADD','a:3',1,'m'",
    "'ZRANGE','a:3',0,-1,'WITHSCORES'",
    "'SADD','a:3','x',2",
    "'SMEMBERS','a:3'",
    "'DEL','a:1','a:2','a:3'",
    "'COPY','v:1','a:1'",
    "'RENAME','v:1','a:1'",
    "'DUMP','v:1'",
    "'OBJECT','ENCODING','v:1'",
    "'EVAL','return 1',0",
    "'SCRIPT','FLUSH'",
    "'FUNCTION','DUMP'",
    "'MULTI'",
    "'SELECT',1",
    "'SWAPDB',0,1",
    "'KEYS','*'",
    "'SCAN',0",
    "'RANDOMKEY'",
    "'SORT','v:1','BY','nosort','GET','v:1'",
    "'BLPOP','a:3',0",
    "'XADD','a:3','*','f','v'",
    "'XRANGE','a:3','-','+'",
    "'PUBLISH','c','m'",
    "'ECHO',a",
    "'PING'",
    "'TIME'",
    "'CONFIG','GET','*'",
    "'CLIENT','ID'",
    "'WAIT',0,0",
    "'EXPIRE','a:1',1",
    "'PEXPIRE','a:1',1",
    "'SETRANGE','a:1',9,a",
    "'BITCOUNT','a:1'",
    "'PFADD','a:3','x'",
    "'GEOADD','a:3',1,1,'m'",
    "'AUTH','victim','x'",
    "'HELLO',3",
    "'RESET'",
    "'NOSUCH'",
    "a,b",
    "unpack({'GET','a:1'})",
    "KEYS[1],ARGV[1]",
    "",
];
const STRINGS: &[&str] = &[
    "''",
    "'a'",
    "'abc'",
    "'\\0\\255'",
    "'%d %s %q'",
    "'%99.99f'",
    "'%c%i%x'",
    "'(a)(b?)'",
    "'%b()'",
    "'[a-'",
    "'%'",
    "'a:1'",
    "'v:1'",
    "'__index'",
    "'__gc'",
    "'__mode'",
    "'__metatable'",
    "'KEYS'",
    "'nan'",
    "'1e999'",
    "'0x10'",
    "'[[1,2],{\"a\":null}]'",
    "'{\"a\":[1,2.5e3,true]}'",
    "'[[['",
    "'\\145\\1\\192'",
    "'\\223\\255\\255\\255\\255'",
    "'\\221\\0\\0'",
    "'>I2<i4=d'",
    "'c0s!8xb'",
    "'I33'",
    "'c2147483648'",
    "'err'",
    "'ok'",
    "'\\r\\n+OK'",
    "'MARK'",
    "'return 1'",
    "'return ...'",
    "'stop'",
    "'count'",
    "'step'",
    "'k'",
    "'v'",
    "'kv'",
    "'\\27Lua'",
    "[==[x]==]",
];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "0.5",
    "7",
    "255",
    "256",
    "1000",
    "3000",
    "65535",
    "2147483647",
    "2147483648",
    "-2147483648",
    "4294967295",
    "9007199254740992",
    "-9223372036854775808",
    "1e15",
    "1e308",
    "-1e308",
    "(0/0)",
    "(1/0)",
    "(-1/0)",
];
const OPERATORS: &[&str] =
    &["+", "-", "*", "/", "%", "^", "..", "==", "~=", "<", "<=", ">", ">=", " and ", " or "];
const EVENTS: &[&str] = &[
    "__index",
    "__newindex",
    "__call",
    "__gc",
    "__mode",
    "__tostring",
    "__concat",
    "__eq",
    "__lt",
    "__le",
    "__add",
    "__unm",
    "__len",
    "__metatable",
    "__pairs",
    "err",
    "ok",
    "map",
    "set",
    "double",
    "big_number",
    "verbatim_string",
    "string",
    "format",
];
/// Statements in a block.
const STATEMENTS_MAX: usize = 5;
const DEPTH_MAX: usize = 4;

/// Writes a program.
pub(super) struct Author<'i, 'b> {
    input: &'i mut Input<'b>,
    pub(super) text: String,
    depth: usize,
}

impl<'i, 'b> Author<'i, 'b> {
    /// One who has written nothing.
    pub(super) fn new(input: &'i mut Input<'b>) -> Self {
        Self { input, text: String::new(), depth: 0 }
    }

    fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn one_of(&mut self, texts: &[&str]) {
        let place = self.input.below(texts.len());
        self.put(texts[place]);
    }

    pub(super) fn chunk(&mut self) {
        self.put("local a,b,c,d,e,f = KEYS,ARGV,'s',1,{},function(...) return ... end\n");
        for _ in 0..=self.input.below(STATEMENTS_MAX) {
            // An error does not end it.
            let is_safe = self.input.below(4) > 0;
            self.put(if is_safe { "pcall(function()\n" } else { "do\n" });
            self.block();
            self.put(if is_safe { "end)\n" } else { "end\n" });
        }
        self.put("return ");
        self.expression();
    }

    fn block(&mut self) {
        self.depth += 1;
        if self.depth <= DEPTH_MAX {
            for _ in 0..=self.input.below(STATEMENTS_MAX) {
                self.statement();
                self.put("\n");
            }
        }
        self.depth -= 1;
    }

    fn statement(&mut self) {
        match self.input.below(20) {
            0..=5 => {
                self.one_of(&NAMES);
                self.put(" = ");
                self.expression();
            }
            6..=9 => {
                self.put("pcall(");
                self.one_of(FUNCTIONS);
                self.put(",");
                self.expressions();
                self.put(")");
            }
            10 => self.around("if ", " then ", "end"),
            11 => {
                let last = self.input.below(4).to_string();
                self.put("for i = 1, ");
                self.put(&last);
                self.put(" do a = i\n");
                self.block();
                self.put("end");
            }
            12 => {
                self.put("pcall(function() for k, v in pairs(");
                self.expression();
                self.put(") do a, b = k, v\n");
                self.block();
                self.put("end end)");
            }
            13 => {
                self.put("pcall(function() local t = ");
                self.expression();
                self.put(" t[");
                self.expression();
                self.put("] = ");
                self.expression();
                self.put(" end)");
            }
            14 => {
                self.put("a = redis.pcall(");
                self.one_of(COMMANDS);
                self.put(")");
            }
            kind => self.rare_statement(kind),
        }
    }

    fn rare_statement(&mut self, kind: usize) {
        match kind {
            15 => {
                self.put("b = coroutine.wrap(function(...)\n");
                self.block();
                self.put("coroutine.yield(");
                self.expressions();
                self.put(") end) pcall(b, a) pcall(b, c)");
            }
            16 => {
                self.put("c = loadstring([======[\n");
                self.block();
                self.put("]======]) if c then pcall(c, a) end");
            }
            17 => {
                self.put("pcall(function() local n = 0 while n < 5 do n = n + 1\n");
                self.block();
                self.put("end end)");
            }
            18 if self.input.below(40) == 0 => {
                self.put("pcall(function() while true do d = {d} end end)")
            }
            _ => {
                self.one_of(FUNCTIONS);
                self.put("(");
                self.expressions();
                self.put(")");
            }
        }
    }

    fn around(&mut self, before: &str, between: &str, after: &str) {
        self.put(before);
        self.expression();
        self.put(between);
        self.block();
        self.put(after);
    }

    fn expressions(&mut self) {
        self.expression();
        for _ in 0..self.input.below(4) {
            self.put(",");
            self.expression();
        }
    }

    fn expression(&mut self) {
        self.depth += 1;
        let kind = self.input.below(if self.depth > DEPTH_MAX { 9 } else { 20 });
        match kind {
            0..=1 => self.one_of(NUMBERS),
            2..=3 => self.one_of(STRINGS),
            4..=6 => self.one_of(&NAMES),
            7 => self.one_of(&[
                "nil",
                "true",
                "false",
                "{}",
                "KEYS",
                "ARGV",
                "_G",
                "redis",
                "string",
                "cjson.null",
            ]),
            8 => self.one_of(FUNCTIONS),
            9..=11 => self.call(),
            12 => self.table(),
            13 => {
                self.put("(");
                self.expression();
                self.one_of(OPERATORS);
                self.expression();
                self.put(")");
            }
            14 => {
                self.one_of(&["-", "#", "not "]);
                self.put("(");
                self.expression();
                self.put(")");
            }
            15 => {
                self.put("(function(...)\n");
                self.block();
                self.put("return ");
                self.expressions();
                self.put(" end)");
            }
            16 => self.with_metatable(),
            17 => {
                self.put("redis.pcall(");
                self.one_of(COMMANDS);
                self.put(")");
            }
            18 => {
                self.put("(");
                self.expression();
                self.put(")[");
                self.expression();
                self.put("]");
            }
            _ => {
                self.put("(");
                self.one_of(STRINGS);
                self.put("):");
                self.one_of(&["rep", "len", "sub", "gsub", "format", "byte", "find", "nosuch"]);
                self.put("(");
                self.expressions();
                self.put(")");
            }
        }
        self.depth -= 1;
    }

    fn call(&mut self) {
        // Not all of them raise.
        let is_safe = self.input.below(3) == 0;
        self.put(if is_safe { "select(2, pcall(" } else { "" });
        self.one_of(FUNCTIONS);
        self.put(if is_safe { "," } else { "(" });
        self.expressions();
        self.put(if is_safe { "))" } else { ")" });
    }

    fn table(&mut self) {
        self.put("{");
        for _ in 0..self.input.below(4) {
            if self.input.below(2) == 0 {
                self.put("[");
                self.one_of(STRINGS);
                self.put("]=");
            }
            self.expression();
            self.put(",");
        }
        self.put("}");
    }

    fn with_metatable(&mut self) {
        self.put("setmetatable(");
        self.table();
        self.put(",{");
        for _ in 0..=self.input.below(3) {
            self.one_of(EVENTS);
            self.put("=");
            self.expression();
            self.put(",");
        }
        self.put("})");
    }
}
