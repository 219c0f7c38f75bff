-- Decide a call, once (R1, R3, R5, R6). One whose end overtook its beginning is decided all the
-- same, and settled with it.
-- KEYS[9] call   KEYS[10] route   KEYS[11] drop message
-- ARGV[5] CallSid   ARGV[6] the account's number   ARGV[7] seconds a call is kept
-- ARGV[8] 'outbound', or '' for an inbound call
-- Replies
--   {'unknown_account'}, {'cycle_over', …}
--   {'known' | 'decided', record, allotment, purchased, route, drop message}
--     the buckets as they are now; route and drop message are '' unless the account has its own
-- Writes the call, the account's buckets, one entry, and what is owed: a top-off, a warning that
-- the balance is low, or that calls are being dropped.

local function reply(status, record, allotment, purchased, custom)
  local route, message = '', ''
  if custom then
    route, message = redis.call('GET', KEYS[10]) or '', redis.call('GET', KEYS[11]) or ''
  end
  return { status, record, tonumber(allotment), tonumber(purchased), route, message }
end

local known = redis.call('GET', KEYS[9])
local ended_first = known and string.sub(known, 1, 1) == 'e'
if known and not ended_first then
  local f = redis.call('HMGET', ACCOUNT, 'allotment', 'purchased', 'custom')
  return reply('known', known, f[1], f[2], f[3] == '1')
end

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end

local function answer(code, reason)
  local record = debit(account, KEYS[9], ARGV[7], ended_first and 'k' or 'o', code, reason, ARGV[6],
    ARGV[5], ARGV[8])
  return reply('decided', record, account.allotment, account.purchased, account.custom)
end

-- A balance that no call can lower any more has no debit that would look at the threshold: so such a
-- drop does, or the account would stay empty for ever.
local function drop(code, reason)
  local due = code == 'ou' and topoff_is_due(account, account.balance)
  local record = (ended_first and 'c' or 'o') .. 'D' .. code .. 'n0 ' .. explain(account, due)
  redis.call('SET', KEYS[9], record, 'EX', ARGV[7])
  append(account, 'call_dropped', 0, 0, ARGV[5], reason, ARGV[6], record, ARGV[8])
  if code ~= 'su' and not account.drop_told then
    redis.call('HSET', ACCOUNT, 'drop_told', '1')
    notify('calls_dropped', 'reason', reason, 'balance', account.balance)
  end
  if due then request_topoff(account, 'automatic') end
  return reply('decided', record, account.allotment, account.purchased, account.custom)
end

if account.suspended then return drop('su', 'account_suspended') end
if account.balance > 0 then
  if account.allotment > 0 then return answer('al', 'allotment') end
  return answer('pu', 'purchased')
end
if not account.topoff_on then return drop('to', 'empty_topoff_off') end
if account.blocked_by ~= '' then return drop('tf', 'empty_topoff_failed') end
if account.capped and account.topoff == '' then return drop('tc', 'empty_topoff_capped') end
if account.balance - 1 < -account.overdraft_limit then return drop('ou', 'empty_overdraft_used') end
return answer('ov', 'overdraft')
