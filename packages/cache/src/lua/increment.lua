-- Adds to a whole number, unless that would leave its bounds; begins at 0.
-- KEYS[1] entry   string, the number's JSON text
-- ARGV[1] by      whole number to add
-- ARGV[2] min     least value allowed
-- ARGV[3] max     greatest value allowed
-- ARGV[4] ttl     milliseconds for an entry that begins here; 0 for ever
-- Reply: {value, what was added: by or 0, PTTL}, the first two as text, or 'not_an_integer'.
local entry = KEYS[1]
local by, min, max, ttl = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local stored = redis.call('GET', entry)
-- 16 digits hold every number that JavaScript and Lua count exactly.
local digits = (stored or '0'):match('^-?(%d+)$')
if not digits or #digits > 16 then return 'not_an_integer' end
local value = tonumber(stored or '0')
local sum = value + by
if sum < min or sum > max then return {string.format('%.0f', value), '0', redis.call('PTTL', entry)} end

-- Adding 0 turns -0 into 0.
local text = string.format('%.0f', sum + 0)
if stored then
  redis.call('SET', entry, text, 'KEEPTTL')
elseif ttl > 0 then
  redis.call('SET', entry, text, 'PX', ttl)
else
  redis.call('SET', entry, text)
end
return {text, ARGV[1], redis.call('PTTL', entry)}
