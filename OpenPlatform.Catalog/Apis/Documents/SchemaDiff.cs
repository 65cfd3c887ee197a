using System.Runtime.CompilerServices;

namespace OpenPlatform.Catalog.Apis.Documents;

/// <summary>
/// Compares schemas of two documents. What callers send must go on being accepted, so a request may only widen; what they get must go on being
/// understood, so an answer may only narrow.
/// </summary>
internal sealed class SchemaDiff(ChangeList changes)
{
    /// <summary>Pairs of schemas of one operation; those of real APIs are some hundred.</summary>
    private const int MostPairs = 20_000;

    private readonly HashSet<(string, string, bool)> _seen = [];

    /// <summary>Shared with the trials of alternatives: those inside alternatives inside alternatives would grow without it.</summary>
    private StrongBox<int> _pairs = new();

    /// <param name="isResponse">True: callers read it; false: they send it.</param>
    public void Compare(DocumentNode old, DocumentNode @new, bool isResponse)
    {
        if (!_seen.Add((old.Pointer, @new.Pointer, isResponse)))
        {
            return;
        }

        if (++_pairs.Value > MostPairs)
        {
            if (_pairs.Value == MostPairs + 1)
            {
                changes.Add(DiffRules.TooComplex, @new.Pointer, $"more than {MostPairs:N0} pairs of schemas");
            }

            return;
        }

        var (before, now) = (SchemaView.Of(old), SchemaView.Of(@new));
        var at = @new.Resolved().Exists ? @new.Resolved().Pointer : @new.Pointer;
        Types(before, now, at, isResponse);
        Enums(before, now, at, isResponse);
        Texts(before, now, at, isResponse);
        if (!isResponse)
        {
            Bounds(before, now, at);
        }

        Properties(before, now, at, isResponse);
        Parts(before.SaysItems ? before.Items : null, now.SaysItems ? now.Items : null, at, "what is in the list", isResponse);
        if (before.IsOpen && now.IsOpen)
        {
            Parts(before.Additional, now.Additional, at, "what is not described", isResponse);
        }

        Alternatives(before, now, at, isResponse);
    }

    /// <summary>What is inside of something else; null: it may be anything.</summary>
    private void Parts(DocumentNode? before, DocumentNode? now, string at, string what, bool isResponse)
    {
        if (before is { } from && now is { } to)
        {
            Compare(from, to, isResponse);
        }
        else if (isResponse ? before is not null : now is not null)
        {
            changes.Add(isResponse ? DiffRules.ResponseTypeWidened : DiffRules.RequestTypeNarrowed, at, isResponse ? $"{what} may be anything now" : $"{what} may not be anything any more");
        }
    }

    private void Types(SchemaView before, SchemaView now, string at, bool isResponse)
    {
        // A schema made of alternatives says its types there.
        if (before.Alternatives.Count > 0 || now.Alternatives.Count > 0)
        {
            return;
        }

        var (wide, narrow) = isResponse ? (now, before) : (before, now);
        if (narrow.Types is null)
        {
            return;
        }

        var lost = wide.TypesOrAll.Where(type => !narrow.Types.Contains(type)).ToArray();
        if (lost.Length > 0)
        {
            changes.Add(isResponse ? DiffRules.ResponseTypeWidened : DiffRules.RequestTypeNarrowed, at,
                isResponse ? $"may be {string.Join(", ", lost)} now" : $"may not be {string.Join(", ", lost)} any more");
        }
    }

    private void Enums(SchemaView before, SchemaView now, string at, bool isResponse)
    {
        var (wide, narrow) = isResponse ? (now, before) : (before, now);
        if (narrow.Enum is null)
        {
            return;
        }

        var lost = wide.Enum?.Where(value => !narrow.Enum.Contains(value)).ToArray() ?? ["any other value"];
        if (lost.Length > 0)
        {
            changes.Add(isResponse ? DiffRules.ResponseEnumWidened : DiffRules.RequestEnumNarrowed, at,
                isResponse ? $"may be {string.Join(", ", lost)} now" : $"may not be {string.Join(", ", lost)} any more");
        }
    }

    private void Texts(SchemaView before, SchemaView now, string at, bool isResponse)
    {
        if (isResponse)
        {
            if (before.Format is { } was && was != now.Format)
            {
                changes.Add(DiffRules.ResponseFormatChanged, at, $"was {was}, is {now.Format ?? "any"}");
            }
        }
        else if ((now.Format is not null && now.Format != before.Format) || (now.Pattern is not null && now.Pattern != before.Pattern))
        {
            changes.Add(DiffRules.RequestPatternChanged, at, $"must be {now.Format ?? "a text"}{(now.Pattern is null ? "" : $" like {now.Pattern}")} now");
        }
    }

    private void Bounds(SchemaView before, SchemaView now, string at)
    {
        foreach (var (bound, value) in now.Bounds)
        {
            if (!before.Bounds.TryGetValue(bound, out var was) || (SchemaView.IsLower(bound) ? value > was : value < was))
            {
                changes.Add(DiffRules.RequestBoundTightened, at, $"{bound} is {value} now");
            }
        }

        if (now.IsUnique && !before.IsUnique)
        {
            changes.Add(DiffRules.RequestBoundTightened, at, "nothing may be in the list twice now");
        }

        if (now.MultipleOf is { } step && (before.MultipleOf is not { } other || other % step != 0))
        {
            changes.Add(DiffRules.RequestBoundTightened, at, $"must be a multiple of {step} now");
        }
    }

    private void Properties(SchemaView before, SchemaView now, string at, bool isResponse)
    {
        // What only answers have does not matter in a request, and the other way round.
        var other = isResponse ? "writeOnly" : "readOnly";
        foreach (var (name, property) in before.Properties.Where(property => !property.Value.Resolved().Flag(other)))
        {
            if (now.Properties.TryGetValue(name, out var next))
            {
                Compare(property, next, isResponse);
            }
            else if (isResponse)
            {
                changes.Add(DiffRules.ResponsePropertyRemoved, property.Pointer, $"{name} is gone");
            }
            else if (!now.IsOpen)
            {
                changes.Add(DiffRules.RequestPropertyRefused, at, $"{name} is not allowed any more");
            }
        }

        if (!isResponse && before.IsOpen && !now.IsOpen)
        {
            changes.Add(DiffRules.RequestPropertyRefused, at, "properties that are not described are not allowed any more");
        }

        foreach (var (name, property) in now.Properties.Where(property => !before.Properties.ContainsKey(property.Key) && !property.Value.Resolved().Flag(other)))
        {
            if (isResponse || !now.Required.Contains(name))
            {
                changes.Add(isResponse ? DiffRules.ResponsePropertyAdded : DiffRules.RequestPropertyAdded, property.Pointer, $"{name} is new");
            }
        }

        var (wide, narrow) = isResponse ? (now, before) : (before, now);
        foreach (var name in narrow.Required.Where(name => !wide.Required.Contains(name)))
        {
            var property = now.Properties.GetValueOrDefault(name);
            if (isResponse && property.Exists)
            {
                changes.Add(DiffRules.ResponsePropertyOptional, at, $"{name} may be absent now");
            }
            else if (!isResponse && !property.Resolved().Flag(other))
            {
                changes.Add(DiffRules.RequestPropertyRequired, at, $"{name} is required now");
            }
        }
    }

    /// <summary>Every alternative of a request finds one now that accepts it; every alternative of an answer is one that there was.</summary>
    private void Alternatives(SchemaView before, SchemaView now, string at, bool isResponse)
    {
        var (asked, offered) = isResponse ? (now, before) : (before, now);
        if (offered.Alternatives.Count == 0)
        {
            return;
        }

        var wanted = asked.Alternatives.Count > 0 ? asked.Alternatives : [asked.Node];
        foreach (var alternative in wanted)
        {
            if (!offered.Alternatives.Any(other => isResponse ? Fits(other, alternative, isResponse) : Fits(alternative, other, isResponse)))
            {
                changes.Add(isResponse ? DiffRules.ResponseAlternativeAdded : DiffRules.RequestAlternativeRemoved, alternative.Exists ? alternative.Pointer : at,
                    isResponse ? "was not among the alternatives" : "is not among the alternatives any more");
            }
        }
    }

    private bool Fits(DocumentNode old, DocumentNode @new, bool isResponse)
    {
        var found = new ChangeList();
        var trial = new SchemaDiff(found) { _pairs = _pairs };
        trial._seen.UnionWith(_seen); // what is being compared further up holds as long as nothing else speaks against it
        trial.Compare(old, @new, isResponse);
        // What was not compared to the end is not known to fit.
        return _pairs.Value <= MostPairs && found.All(static change => !change.Breaking);
    }
}
