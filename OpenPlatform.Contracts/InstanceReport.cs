using System.Text.Json;
using System.Text.Json.Serialization;

namespace OpenPlatform.Contracts;

/// <summary>All instances that a gateway knows, said when something about them changes and every few seconds.</summary>
/// <param name="Gateway">Who says so: its instance id.</param>
public sealed record InstanceReport(string Gateway, IReadOnlyList<SeenInstance> Instances)
{
    /// <summary>More are not told.</summary>
    public const int MostInstances = 10_000;
}

/// <summary>One instance as one gateway sees it.</summary>
/// <param name="Id">Its lease's, or a name made of its address.</param>
/// <param name="Address">Where it is called.</param>
/// <param name="Source">Who told of it: <c>lease</c>, <c>file</c>, <c>dns</c>, <c>snapshot</c> or <c>configuration</c>.</param>
/// <param name="Weight">1 to 1000; 100 is normal.</param>
/// <param name="State"><c>starting</c>, <c>ready</c>, <c>ramping</c>, <c>draining</c> or <c>ejected</c>.</param>
/// <param name="EjectedBecause">Null unless ejected.</param>
public sealed record SeenInstance(Guid BackendId, string Id, string Address, string? Zone, string Source, int Weight, string State, string? EjectedBecause);

/// <summary>JSON of <see cref="InstanceReport"/>.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(InstanceReport))]
public sealed partial class InstanceReportJson : JsonSerializerContext;
