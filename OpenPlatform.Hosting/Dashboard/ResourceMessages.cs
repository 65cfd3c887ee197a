using System.Collections;
using System.Collections.Immutable;
using Aspire.Hosting.ApplicationModel;
using Google.Protobuf.WellKnownTypes;
using HealthStatus = Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus;

namespace OpenPlatform.Hosting.Dashboard;

/// <summary>A snapshot in the dashboard's words. One resource with a required field missing would leave its whole page empty without a
/// word, so everything that may be null has a stand-in here.</summary>
internal static class ResourceMessages
{
    /// <summary>Shown behind a mask even when the publisher did not say so: command lines carry passwords.</summary>
    private static readonly HashSet<string> AlwaysSensitive = new(StringComparer.OrdinalIgnoreCase)
    {
        KnownProperties.ExecutableArgs, KnownProperties.ContainerArgs, KnownProperties.AppArgs, KnownProperties.ConnectionString,
    };

    /// <param name="uniqueId">Names a replica, and the console log that belongs to it.</param>
    /// <param name="secrets">Values that appear nowhere in plain sight.</param>
    internal static Wire.Resource Of(string name, string uniqueId, CustomResourceSnapshot snapshot, IReadOnlyCollection<string> secrets)
    {
        var resource = new Wire.Resource
        {
            Name = uniqueId,
            Uid = uniqueId,
            DisplayName = name,
            ResourceType = snapshot.ResourceType ?? "",
            State = snapshot.State?.Text ?? "",
            CreatedAt = Time(snapshot.CreationTimeStamp) ?? new Timestamp(),
            IsHidden = snapshot.IsHidden,
            SupportsDetailedTelemetry = snapshot.SupportsDetailedTelemetry,
        };
        if (snapshot.State?.Style is { Length: > 0 } style)
        {
            resource.StateStyle = style;
        }
        if (Time(snapshot.StartTimeStamp) is { } started)
        {
            resource.StartedAt = started;
        }
        if (Time(snapshot.StopTimeStamp) is { } stopped)
        {
            resource.StoppedAt = stopped;
        }
        if (snapshot.IconName is { } icon)
        {
            (resource.IconName, resource.IconVariant) = (icon, Icon(snapshot.IconVariant));
        }
        resource.Environment.AddRange(Named(snapshot.EnvironmentVariables, e => e.Name)
            .Select(e => new Wire.EnvironmentVariable { Name = e.Name, Value = e.Value ?? "", IsFromSpec = e.IsFromSpec }));
        resource.Urls.AddRange(Items(snapshot.Urls).Select(Url));
        resource.Volumes.AddRange(Items(snapshot.Volumes)
            .Select(v => new Wire.Volume { Source = v.Source ?? "", Target = v.Target ?? "", MountType = v.MountType ?? "", IsReadOnly = v.IsReadOnly }));
        resource.Relationships.AddRange(Named(Named(snapshot.Relationships, r => r.ResourceName), r => r.Type)
            .Select(r => new Wire.Relationship { ResourceName = r.ResourceName, Type = r.Type }));
        resource.HealthReports.AddRange(Named(snapshot.HealthReports, h => h.Name).Select(Health));
        resource.Commands.AddRange(Named(snapshot.Commands, c => c.Name).Select(Command));
        // The last one of a name counts.
        var properties = Properties(name, uniqueId, snapshot, secrets).ToLookup(p => p.Name, StringComparer.OrdinalIgnoreCase);
        resource.Properties.AddRange(properties.Select(same => same.Last()));
        return resource;
    }

    private static IEnumerable<Wire.ResourceProperty> Properties(string name, string uniqueId, CustomResourceSnapshot snapshot, IReadOnlyCollection<string> secrets)
    {
        yield return Property("resource.uid", uniqueId);
        yield return Property("resource.name", uniqueId);
        yield return Property("resource.displayName", name);
        yield return Property("resource.type", snapshot.ResourceType);
        yield return Property("resource.state", snapshot.State?.Text);
        yield return Property("resource.createTime", snapshot.CreationTimeStamp?.ToString("O"));
        yield return Property("resource.startTime", snapshot.StartTimeStamp?.ToString("O"));
        yield return Property("resource.stopTime", snapshot.StopTimeStamp?.ToString("O"));
        yield return Property("resource.healthState", snapshot.HealthStatus?.ToString());
        if (Items(snapshot.Relationships).FirstOrDefault(r => r.Type == KnownRelationshipTypes.Parent) is { } parent)
        {
            yield return Property(KnownProperties.ParentName, parent.ResourceName);
        }
        // The list of resources shows command lines as they are, unless it is told which arguments to mask. Of projects it shows none.
        if (snapshot.ResourceType != "Project" && Items(snapshot.Properties).FirstOrDefault(p => p.Name is KnownProperties.ExecutableArgs or KnownProperties.ContainerArgs)?.Value is IEnumerable<string> args)
        {
            var shown = args.ToArray();
            yield return Property(KnownProperties.AppArgs, shown, isSensitive: true);
            yield return Property(KnownProperties.AppArgsSensitivity, shown.Select(a => secrets.Any(secret => a.Contains(secret, StringComparison.Ordinal)) ? 1 : 0));
        }
        foreach (var p in Named(snapshot.Properties, p => p.Name))
        {
            if (p.Name == KnownProperties.ExitCode)
            {
                continue;
            }
            var property = Property(p.Name, p.Value, p.IsSensitive || AlwaysSensitive.Contains(p.Name));
            property.IsHighlighted = p.IsHighlighted;
            if (p.DisplayName is { Length: > 0 } displayName)
            {
                property.DisplayName = displayName;
            }
            if (p.SortOrder is { } order)
            {
                property.SortOrder = order;
            }
            yield return property;
        }
        // As text: a number would be shown with decimals, and the dashboard reads the code out of the text.
        yield return Property(KnownProperties.ExitCode, snapshot.ExitCode?.ToString());
    }

    private static Wire.ResourceProperty Property(string name, object? value, bool isSensitive = false) =>
        new() { Name = name, Value = ValueOf(value), IsSensitive = isSensitive };

    private static Value ValueOf(object? value) => value switch
    {
        null => Value.ForNull(),
        string text => Value.ForString(text),
        bool flag => Value.ForBool(flag),
        byte or short or int or long or float or double or decimal => Value.ForNumber(Convert.ToDouble(value)),
        DateTime time => Value.ForString(time.ToString("O")),
        IEnumerable list => Value.ForList([.. list.Cast<object?>().Select(ValueOf)]),
        _ => Value.ForString(value.ToString() ?? ""),
    };

    private static Wire.Url Url(UrlSnapshot url)
    {
        var shown = new Wire.Url
        {
            FullUrl = url.Url ?? "",
            IsInternal = url.IsInternal,
            IsInactive = url.IsInactive,
            DisplayProperties = new() { DisplayName = url.DisplayProperties?.DisplayName ?? "", SortOrder = url.DisplayProperties?.SortOrder ?? 0 },
        };
        if (url.Name is { } endpoint)
        {
            shown.EndpointName = endpoint;
        }
        return shown;
    }

    private static Wire.HealthReport Health(HealthReportSnapshot report)
    {
        var shown = new Wire.HealthReport { Key = report.Name, Description = report.Description ?? "", Exception = report.ExceptionText ?? "" };
        if (report.Status is { } status)
        {
            shown.Status = status switch { HealthStatus.Healthy => 0, HealthStatus.Degraded => 2, _ => 1 };
        }
        if (Time(report.LastRunAt) is { } time)
        {
            shown.LastRunAt = time;
        }
        return shown;
    }

    private static Wire.ResourceCommand Command(ResourceCommandSnapshot command)
    {
        var shown = new Wire.ResourceCommand
        {
            Name = command.Name,
            DisplayName = command.DisplayName is { Length: > 0 } displayName ? displayName : command.Name,
            DisplayDescription = command.DisplayDescription ?? "",
            IconVariant = Icon(command.IconVariant),
            IsHighlighted = command.IsHighlighted,
            State = command.State switch { ResourceCommandState.Enabled => 0, ResourceCommandState.Disabled => 1, _ => 2 },
        };
        if (command.ConfirmationMessage is { Length: > 0 } question)
        {
            shown.ConfirmationMessage = question;
        }
        if (command.IconName is { Length: > 0 } icon)
        {
            shown.IconName = icon;
        }
        return shown;
    }

    private static int Icon(IconVariant? variant) => variant == IconVariant.Filled ? 1 : 0;

    private static Timestamp? Time(DateTime? time) => time is { } t ? Timestamp.FromDateTime(t.ToUniversalTime()) : null;

    /// <summary>One thing without a name empties the whole page too.</summary>
    private static IEnumerable<T> Named<T>(ImmutableArray<T> items, Func<T, string?> name) => Named((IEnumerable<T>)Items(items), name);

    private static IEnumerable<T> Named<T>(IEnumerable<T> items, Func<T, string?> name) => items.Where(item => !string.IsNullOrWhiteSpace(name(item)));

    /// <summary>A default array has no length; to whoever publishes it, it is an empty one.</summary>
    private static ImmutableArray<T> Items<T>(ImmutableArray<T> items) => items.IsDefault ? [] : items;
}
