-- What the scripts that change keys share: how the trail is told of a change.

-- A record's text without what nobody is told; '' for none.
local function told(text)
  if not text then return '' end
  local record = cjson.decode(text)
  record.digest = nil
  return cjson.encode(record)
end

-- `by` is JSON {author, request, max}, or '' when there is no trail. `before` and `after` are texts of records, or nil.
local function tell(trail, by, action, id, before, after)
  if by == '' then return end
  local how = cjson.decode(by)
  redis.call('XADD', trail, 'MAXLEN', '~', how.max, '*', 'author', how.author, 'action', action, 'target', 'key:' .. id,
    'request', how.request, 'before', told(before), 'after', told(after))
end
