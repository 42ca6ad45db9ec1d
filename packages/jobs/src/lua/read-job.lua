-- Reads a job and where it is. The wait list is never searched, however long it is: whoever is nowhere else waits.
-- KEYS[1] job              hash
-- KEYS[2] completed        zset
-- KEYS[3] failed           zset
-- KEYS[4] delayed          zset
-- KEYS[5] prioritized      zset
-- KEYS[6] waiting_children zset
-- KEYS[7] active           list
-- ARGV[1] id               of the job
-- ARGV[...] fields         of the hash to read
-- Replies nil when there is no such job, else {state, score in its zset or '', value per field}.
local job, id = KEYS[1], ARGV[1]
local fields = {}
for i = 2, #ARGV do fields[#fields + 1] = ARGV[i] end

local function find()
  local zsets = { 'completed', 'failed', 'delayed', 'prioritized', 'waiting-children' }
  for i, state in ipairs(zsets) do
    local score = redis.call('ZSCORE', KEYS[i + 1], id)
    if score then return state, score end
  end
  return redis.call('LPOS', KEYS[7], id) and 'active' or 'waiting', ''
end

if redis.call('HEXISTS', job, 'timestamp') == 0 then return nil end
local state, score = find()
local reply = { state, score }
local values = redis.call('HMGET', job, unpack(fields))
for i = 1, #fields do reply[i + 2] = values[i] end
return reply
