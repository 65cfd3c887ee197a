using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;

namespace OpenPlatform.Catalog.Resources;

/// <summary>
/// The body of a PATCH: a JSON merge patch (RFC 7396). Bound from the request. A resource applies it to the request that would make it as
/// it is now, and checks the result as it checks any request; so what may be patched is what may be said when it is created.
/// </summary>
internal sealed class MergePatch
{
    public const string MediaType = "application/merge-patch+json";

    private readonly JsonObject _patch;
    private readonly JsonSerializerOptions _json;

    private MergePatch(JsonObject patch, JsonSerializerOptions json) => (_patch, _json) = (patch, json);

    public static async ValueTask<MergePatch?> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        var json = context.RequestServices.GetRequiredService<IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions>>().Value.SerializerOptions;
        JsonNode? patch;
        try
        {
            patch = await JsonNode.ParseAsync(context.Request.Body, documentOptions: new() { AllowDuplicateProperties = false }, cancellationToken: context.RequestAborted);
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException("The body is not JSON.", exception);
        }

        return patch is JsonObject members
            ? new(members, json)
            : throw new BadHttpRequestException("The body is not a merge patch.", new JsonException("A merge patch of a resource is an object.", "$", 0, 0));
    }

    /// <summary>Whether the patch says anything about this member.</summary>
    public bool Names(string member) => _patch.ContainsKey(member);

    /// <summary>The request with the patch applied.</summary>
    /// <param name="current">The request that would make the resource as it is now.</param>
    /// <exception cref="BadHttpRequestException">The result has a member that does not exist or is of another type: 400 with its pointer.</exception>
    public T ApplyTo<T>(T current)
        where T : class
    {
        var target = JsonSerializer.SerializeToNode(current, _json)!.AsObject();
        // Taking away what cannot be there would change nothing and say nothing: most likely it is misspelt.
        if (_patch.FirstOrDefault(member => member.Value is null && !target.ContainsKey(member.Key)) is { Key: { } unknown })
        {
            throw new BadHttpRequestException("The patch has a member that does not exist.", new JsonException($"The JSON property '{unknown}' could not be mapped to any .NET member", "$", 0, 0));
        }

        var merged = Merge(target, _patch);
        try
        {
            return merged.Deserialize<T>(_json)!;
        }
        catch (JsonException exception)
        {
            throw new BadHttpRequestException("The patched resource is not what is expected here.", exception);
        }
    }

    /// <summary>RFC 7396, section 2.</summary>
    internal static JsonNode? Merge(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject members)
        {
            return patch?.DeepClone();
        }

        var result = target is JsonObject current ? (JsonObject)current.DeepClone() : [];
        foreach (var (name, value) in members)
        {
            if (value is null)
            {
                result.Remove(name);
            }
            else
            {
                result[name] = Merge(result[name], value);
            }
        }

        return result;
    }
}
