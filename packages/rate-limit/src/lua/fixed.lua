-- Fixed window, opened by the first charge and not at the full minute: clients do not all come back at once.
-- State: count, charged in the window; start, when it opened.
local fixed = {}

function fixed.load(raw, rule, now)
  if raw then
    local count, start = unpack_from('<dd', raw, 9)
    if now < start + rule.a then return count, start end
  end
  return 0, now
end

function fixed.retry(count, start, rule, now, cost)
  if cost <= rule.limit - count then return 0 end
  if cost > rule.limit then return -1 end
  return start + rule.a - now
end

function fixed.figures(count, start, rule, now)
  if count == 0 then return rule.limit, 0, 0 end
  local ends_in = start + rule.a - now
  return rule.limit - count, ends_in, ends_in
end

function fixed.add(count, start, rule, now, cost)
  if count == 0 then start = now end
  return min(count + cost, MAX_COUNT), start
end

-- What was taken in a window that is over comes not back in this one.
function fixed.give_back(count, start, rule, now, cost, taken_at)
  if taken_at and taken_at < start then return count, start end
  return max(count - cost, 0), start
end

function fixed.dump(count, start, rule, now)
  if count == 0 then return '', 0 end
  return pack('<dd', count, start), start + rule.a - now
end
