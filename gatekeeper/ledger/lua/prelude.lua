-- What every verb on an account shares. Prepended to each script by gatekeeper/ledger/scripts.py.
--
-- Calling convention
--   KEYS[1] account    KEYS[2] profile    KEYS[3] log          KEYS[4] owed
--   KEYS[5] tries      KEYS[6] incident   KEYS[7] new top-off  KEYS[8] new notice
--   KEYS[9..] the verb's own
--   ARGV[1] account id   ARGV[2] now, ms   ARGV[3] token for new ids   ARGV[4] wake channel
--   ARGV[5..] the verb's own
-- New top-offs, incidents and notices are called <account id>-<token>.
-- A reply's first element is always a status word. `unknown_account` means nothing was changed,
-- and so does `cycle_over`: the account's period has ended, and start_cycle comes first (R4). Every
-- verb that looks at the balance says so, but set_subscription, which knows the period itself;
-- gatekeeper/ledger/store.py then does that.
--
-- topoff_moves() is rendered from gatekeeper/domain/topoff.py.

local ACCOUNT, PROFILE, LOG, OWED, TRIES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local INCIDENT, NEW_TOPOFF, NEW_NOTICE = KEYS[6], KEYS[7], KEYS[8]
local ID, NOW, TOKEN, WAKE = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local RECORD_KEPT_S, NOTICE_KEPT_S = 34560000, 7776000
local NEW_ID = ID .. '-' .. TOKEN

-- The account's fields as a table. Absent numbers are 0, absent texts are ''. `standing` is for
-- `explain`: Lua takes longer to write a number than to read it, so texts stay texts.
local function read_account()
  local f = redis.call('HMGET', ACCOUNT, 'purchased', 'allotment', 'suspended', 'topoff_on',
    'threshold', 'topoff_amount', 'overdraft_limit', 'topoff', 'topoff_state', 'blocked_by',
    'retry_at_ms', 'cycle_no', 'custom', 'low_told', 'drop_told', 'cycle_end_ms', 'capped')
  if not f[1] then return nil end
  local overdraft_limit = f[7] or f[6]
  local account = {
    purchased = tonumber(f[1]), allotment = tonumber(f[2]), suspended = f[3] == '1',
    topoff_on = f[4] == '1', threshold = tonumber(f[5]), topoff_amount = tonumber(f[6]),
    overdraft_limit = tonumber(overdraft_limit), topoff = f[8] or '', topoff_state = f[9] or '',
    blocked_by = f[10] or '', retry_at_ms = f[11] and tonumber(f[11]) or 0, cycle_no = f[12],
    custom = f[13] == '1', low_told = f[14] == '1', drop_told = f[15] == '1',
    cycle_over = f[16] and tonumber(NOW) >= tonumber(f[16]), capped = f[17] == '1',
    standing = f[2] .. ' ' .. f[1] .. (f[4] == '1' and ' 1 ' or ' 0 ') .. f[5] .. ' ' .. f[6]
      .. ' ' .. overdraft_limit,
  }
  account.balance = account.allotment + account.purchased
  return account
end

-- Append one entry (R15). The deltas must be what was applied to the account. Every entry has the
-- same fields: a stream keeps their names once for many that are alike, and else for each.
local function append(account, type, allotment_delta, purchased_delta, ref, cause, number, detail,
    direction)
  redis.call('XADD', LOG, '*', 'at_ms', NOW, 'account', ID, 'type', type,
    'allotment_delta', allotment_delta, 'purchased_delta', purchased_delta,
    'allotment', account.allotment, 'purchased', account.purchased,
    'ref', ref, 'cause', cause, 'number', number or '', 'detail', detail or '',
    'direction', direction or '')
end

-- Write down work that is owed from `due_ms` on, and tell the relay. TRIES keeps how often the
-- task was enqueued and since when it has been due: claims and back-off move the score.
local function owe(task, due_ms)
  redis.call('ZADD', OWED, due_ms, task)
  redis.call('HSET', TRIES, task, string.format('0 %.0f', tonumber(due_ms)))
  redis.call('PUBLISH', WAKE, due_ms)
end

-- Freeze the content of an e-mail and owe its sending. At most one a verb.
local function notify(kind, ...)
  redis.call('HSET', NEW_NOTICE, 'kind', kind, 'at_ms', NOW, ...)
  redis.call('EXPIRE', NEW_NOTICE, NOTICE_KEPT_S)
  owe('email:' .. kind .. ':' .. NEW_ID, NOW)
end

-- Change the balance by deltas, in both the account's hash and the table at hand.
local function apply(account, allotment_delta, purchased_delta)
  if allotment_delta ~= 0 then
    redis.call('HINCRBY', ACCOUNT, 'allotment', allotment_delta)
  end
  if purchased_delta ~= 0 then
    redis.call('HINCRBY', ACCOUNT, 'purchased', purchased_delta)
  end
  account.allotment = account.allotment + allotment_delta
  account.purchased = account.purchased + purchased_delta
  account.balance = account.allotment + account.purchased
end

-- Request the new top-off. The caller has made sure that none is in flight. `by` is who asked.
local function request_topoff(account, cause, by)
  redis.call('HSET', NEW_TOPOFF, 'account', ID, 'state', 'requested', 'cause', cause,
    'credits', account.topoff_amount, 'attempt', 1, 'requested_at_ms', NOW)
  redis.call('HSET', ACCOUNT, 'topoff', NEW_ID, 'topoff_state', 'requested')
  account.topoff, account.topoff_state = NEW_ID, 'requested'
  append(account, 'topoff_requested', 0, 0, NEW_ID, cause, '', by)
  owe('charge:' .. NEW_ID, NOW)
end

-- Whether a look at the threshold, with this balance, requests a top-off (R6, R8's cool-downs, and
-- the spending cap).
local function topoff_is_due(account, balance)
  if not account.topoff_on or account.suspended or account.capped or account.topoff ~= ''
      or balance >= account.threshold then
    return false
  end
  return account.blocked_by == ''
    or (account.retry_at_ms > 0 and tonumber(NOW) >= account.retry_at_ms)
end

-- Look at the threshold, and request a top-off if one is due.
local function look(account)
  local due = topoff_is_due(account, account.balance)
  if due then request_topoff(account, 'automatic') end
  return due
end

-- After credits left: warn once a crossing when nothing will top the balance up (R11). Where that is
-- for the spending cap, the e-mail of its being reached has said so.
local function warn_if_low(account, balance_before)
  if account.topoff_on or account.low_told or balance_before < account.threshold
      or account.balance >= account.threshold then
    return
  end
  redis.call('HSET', ACCOUNT, 'low_told', '1')
  notify('balance_low', 'balance', account.balance, 'threshold', account.threshold)
end

-- After credits came in: the next crossing and the next empty spell are new ones.
local function forget_warnings(account)
  if account.low_told and account.balance >= account.threshold then
    redis.call('HDEL', ACCOUNT, 'low_told')
  end
  if account.drop_told and account.balance > 0 then
    redis.call('HDEL', ACCOUNT, 'drop_told')
  end
end

-- Resolve the open incident, if any, and lift the block (R8).
local function unblock(account, resolution)
  local incident = redis.call('HGET', ACCOUNT, 'incident')
  if incident then
    redis.call('HSET', INCIDENT, 'resolved_at_ms', NOW, 'resolution', resolution)
    append(account, 'incident_resolved', 0, 0, incident, resolution)
  end
  redis.call('HDEL', ACCOUNT, 'incident', 'blocked_by', 'retry_at_ms', 'retries')
  account.blocked_by, account.retry_at_ms = '', 0
end

-- Switch automatic top-offs off. Nothing is being attempted any more, so the incident is over (R8);
-- a top-off without a PaymentIntent is canceled by begin_charge.
local function switch_topoff_off(account)
  redis.call('HSET', ACCOUNT, 'topoff_on', '0')
  redis.call('HDEL', ACCOUNT, 'capped')
  account.topoff_on, account.capped = false, false
  unblock(account, 'switched_off')
end

-- Whether the domain's table has this move of a top-off.
local function may_move(from, to)
  local moves = topoff_moves()[from]
  return moves ~= nil and moves[to] == true
end

-- Strike off owed work that is done.
local function strike(task)
  redis.call('ZREM', OWED, task)
  redis.call('HDEL', TRIES, task)
end

-- `c` is the spending cap's, where no failure blocks.
local BLOCK_LETTER = { no_payment_method = 'n', declined = 'd', internal_error = 'i' }

-- A call's record without its head: what a decision looked at, as it stood before the call.
--   allotment purchased topoff_on threshold amount overdraft topoff block requested cycle at_ms
-- gatekeeper/ledger/records.py reads it. The head is six characters: state, decision, reason
-- (two), bucket, debited.
local function explain(account, requested)
  local topoff = account.topoff_state == '' and '-' or string.sub(account.topoff_state, 1, 1)
  return account.standing .. ' ' .. topoff .. ' ' .. (BLOCK_LETTER[account.blocked_by] or account.capped and 'c' or '-')
    .. (requested and ' 1 ' or ' 0 ') .. account.cycle_no .. ' ' .. NOW
end

-- Take one credit for a call: the allotment first (R3). Writes the call's record and its entry,
-- then tops off or warns. `code` and `reason` say why the call was answered.
local function debit(account, call, kept_s, state, code, reason, number, call_sid, direction)
  local due = topoff_is_due(account, account.balance - 1)
  local before = explain(account, due)
  local bucket = account.allotment > 0 and 'a' or 'p'
  local record = state .. 'A' .. code .. bucket .. '1 ' .. before
  apply(account, bucket == 'a' and -1 or 0, bucket == 'p' and -1 or 0)
  redis.call('SET', call, record, 'EX', kept_s)
  append(account, 'call_debited', bucket == 'a' and -1 or 0, bucket == 'p' and -1 or 0,
    call_sid, reason, number, record, direction)
  if due then
    request_topoff(account, 'automatic')
  else
    warn_if_low(account, account.balance + 1)
  end
  return record
end

-- Give a debited call's credit back, to the bucket it came from (R2). An allotment that has been
-- reset since takes nothing back; one that a subscription's status withholds, with the rest of it.
local function release(account, record, call_sid, cause, number, detail, direction)
  local from_allotment = string.sub(record, 5, 5) == 'a'
  local same_cycle = string.match(record, ' (%d+) %d+$') == account.cycle_no
  local is_back = from_allotment and same_cycle
  if is_back and redis.call('HEXISTS', ACCOUNT, 'withheld') == 1 then
    redis.call('HINCRBY', ACCOUNT, 'withheld', 1)
    is_back = false
  end
  local allotment_delta = is_back and 1 or 0
  local purchased_delta = from_allotment and 0 or 1
  apply(account, allotment_delta, purchased_delta)
  append(account, 'call_released', allotment_delta, purchased_delta,
    call_sid, cause, number, detail, direction)
end

-- What start_cycle's caller needs to find the period that contains now.
local function cycle_over()
  local f = redis.call('HMGET', PROFILE, 'anchor_ms', 'interval')
  return { 'cycle_over', f[1], f[2] }
end

-- Note when the account's period ends, and owe its turn then, should no call come first.
local function end_cycle_at(end_ms)
  redis.call('HSET', ACCOUNT, 'cycle_end_ms', end_ms)
  redis.call('ZADD', OWED, end_ms, 'cycle:' .. ID) -- every account owes one: no count of tries yet
  redis.call('HDEL', TRIES, 'cycle:' .. ID)
end
