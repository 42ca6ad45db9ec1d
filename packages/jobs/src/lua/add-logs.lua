-- Adds lines to the log of a leased job, as BullMQ's addLog does, if it is still leased.
-- KEYS[1] job         hash
-- KEYS[2] lock        string, the token of whoever holds the job
-- KEYS[3] logs        list, newest last
-- ARGV[1] token
-- ARGV[2] kept        lines kept, unless the job says otherwise
-- ARGV[...] lines
-- Replies how many lines the log holds, or nil when the lock is another's or gone.
local job, lock, logs = KEYS[1], KEYS[2], KEYS[3]
local token, kept = ARGV[1], tonumber(ARGV[2])

if redis.call('GET', lock) ~= token then return nil end
local opts = redis.call('HGET', job, 'opts')
if not opts then return nil end
local own = cjson.decode(opts).kl
if type(own) == 'number' and own > 0 then kept = own end
for i = 3, #ARGV do redis.call('RPUSH', logs, ARGV[i]) end
redis.call('LTRIM', logs, -kept, -1)
return redis.call('LLEN', logs)
