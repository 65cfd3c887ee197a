using System.Collections.Frozen;
using OpenPlatform.Contracts.Snapshots;
using OpenPlatform.Gateway.Authorization;
using OpenPlatform.Gateway.Mocks;
using OpenPlatform.Gateway.Protection.Bodies;
using OpenPlatform.Gateway.Resilience;
using OpenPlatform.Gateway.Snapshots;

namespace OpenPlatform.Gateway.Routing;

/// <summary>What makes the parts of an operation out of its model and what its API says.</summary>
internal sealed record OperationCompilers(
    Func<OperationModel, ForwardModel> Forward, Func<OperationModel, BodyModel?> Body, Func<OperationModel, ScopeRule?> Scopes, Func<OperationModel, MockModel?> Mock);

/// <summary>
/// Path and method → operation. Two tries of path segments: the longest base path decides the API version; inside it a literal
/// segment wins over a parameter. Paths are case-sensitive (RFC 3986). The try of an API version is built once for all snapshots that have it; a match
/// allocates nothing.
/// </summary>
internal sealed class RouteTable
{
    public static RouteTable Empty { get; } = Of([]);

    private readonly Node _basePaths;

    private RouteTable(Node basePaths) => _basePaths = basePaths;

    /// <summary>The table of these API versions; no two have the same base path.</summary>
    public static RouteTable Of(IEnumerable<ApiRoutes> apis)
    {
        var root = new Node();
        foreach (var api in apis)
        {
            Descend(root, api.BasePath).Operations = api.Root;
            BackgroundThread.GiveWay();
        }

        root.Freeze();
        return new(root);
    }

    /// <summary>The operations of one API version.</summary>
    public static ApiRoutes Compile(ApiEntry api, IReadOnlyList<OperationModel> operations, OperationCompilers compilers)
    {
        var root = new Node { Api = api };
        foreach (var operation in operations)
        {
            BackgroundThread.GiveWay();
            var node = operation.PathTemplate == "/" ? root : Descend(root, operation.PathTemplate);
            var text = operation.PathTemplate == "/" ? api.BasePath : api.BasePath + operation.PathTemplate;
            node.Methods ??= new();
            node.Methods.Add(new(api, operation.OperationId, operation.Method, text)
            {
                Forward = compilers.Forward(operation),
                Body = compilers.Body(operation),
                Scopes = compilers.Scopes(operation),
                Mock = compilers.Mock(operation),
                Cost = operation.Policies?.Cost ?? 1,
                OwnLimits = operation.Policies?.Limits is { RateLimits: [_, ..] limits } ? new(limits) : null,
            });
        }

        root.Freeze();
        return new(api.BasePath, operations.Count, root);
    }

    /// <summary>True when an API version is published at or above <paramref name="path"/>.</summary>
    public bool Claims(ReadOnlySpan<char> path) => FindApi(path, out _) is not null;

    /// <summary>The API version that is published at or above <paramref name="path"/>, or null.</summary>
    public ApiEntry? FindApi(ReadOnlySpan<char> path) => FindApi(path, out _)?.Api;

    /// <summary>The operation, or null; then <paramref name="allow"/> is the value of <c>Allow</c> when only the method is wrong.</summary>
    /// <param name="path">Decoded, starting with a slash.</param>
    public OperationEntry? Find(ReadOnlySpan<char> path, string method, out string? allow)
    {
        allow = null;
        if (FindApi(path, out var rest) is not { } operations)
        {
            return null;
        }

        var index = MethodSet.IndexOf(method);
        return FindOperation(operations, rest is "/" ? [] : rest, index, ref allow);
    }

    private Node? FindApi(ReadOnlySpan<char> path, out ReadOnlySpan<char> rest)
    {
        rest = default;
        Node? found = null;
        var node = _basePaths;
        while (!path.IsEmpty && node.TryGetLiteral(NextSegment(ref path), out node))
        {
            if (node.Operations is not null)
            {
                found = node.Operations;
                rest = path;
            }
        }

        return found;
    }

    private static OperationEntry? FindOperation(Node node, ReadOnlySpan<char> path, int method, ref string? allow)
    {
        if (path.IsEmpty)
        {
            if (node.Methods is not { } methods)
            {
                return null;
            }

            allow ??= methods.Allow;
            return methods[method];
        }

        var segment = NextSegment(ref path);
        if (node.TryGetLiteral(segment, out var literal) && FindOperation(literal, path, method, ref allow) is { } exact)
        {
            return exact;
        }

        return node.Parameter is { } parameter && !segment.IsEmpty ? FindOperation(parameter, path, method, ref allow) : null;
    }

    /// <summary>Cuts "/first/rest" into "first" and "/rest".</summary>
    private static ReadOnlySpan<char> NextSegment(ref ReadOnlySpan<char> path)
    {
        var end = path[1..].IndexOf('/');
        var segment = end < 0 ? path[1..] : path.Slice(1, end);
        path = end < 0 ? [] : path[(end + 1)..];
        return segment;
    }

    private static Node Descend(Node node, string path)
    {
        foreach (var segment in path[1..].Split('/'))
        {
            if (segment.StartsWith('{'))
            {
                node = node.Parameter ??= new();
            }
            else if (node.Building.TryGetValue(segment, out var child))
            {
                node = child;
            }
            else
            {
                node.Building.Add(segment, child = new());
                node = child;
            }
        }

        return node;
    }

    /// <summary>A place in a try; frozen once it is built.</summary>
    public sealed class Node
    {
        private FrozenDictionary<string, Node>.AlternateLookup<ReadOnlySpan<char>>? _literals;

        public Dictionary<string, Node> Building { get; } = new(StringComparer.Ordinal);

        public Node? Parameter { get; set; }

        /// <summary>In the try of base paths: the operations of the API version that begins here.</summary>
        public Node? Operations { get; set; }

        /// <summary>At the root of an API version's operations.</summary>
        public ApiEntry? Api { get; init; }

        public MethodSet? Methods { get; set; }

        public bool TryGetLiteral(ReadOnlySpan<char> segment, out Node node)
        {
            if (_literals is { } literals && literals.TryGetValue(segment, out var found))
            {
                node = found;
                return true;
            }

            node = this;
            return false;
        }

        public void Freeze()
        {
            if (Building.Count > 0)
            {
                _literals = Building.ToFrozenDictionary(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
            }

            foreach (var child in Building.Values)
            {
                child.Freeze();
            }

            Building.Clear();
            Building.TrimExcess();
            Parameter?.Freeze();
            Methods?.Freeze();
        }
    }

    /// <summary>The operations of one path.</summary>
    public sealed class MethodSet
    {
        private static readonly string[] Names = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        private readonly OperationEntry?[] _operations = new OperationEntry?[Names.Length];

        public string Allow { get; private set; } = string.Empty;

        public OperationEntry? this[int method] => method < 0 ? null : _operations[method];

        public static int IndexOf(string method) => method switch
        {
            "GET" => 0,
            "HEAD" => 1,
            "POST" => 2,
            "PUT" => 3,
            "PATCH" => 4,
            "DELETE" => 5,
            "OPTIONS" => 6,
            _ => -1,
        };

        public void Add(OperationEntry operation) => _operations[IndexOf(operation.Method)] = operation;

        public void Freeze()
        {
            // RFC 9110, 9.3.2: HEAD is GET without the content; who offers one offers the other.
            _operations[1] ??= _operations[0];
            Allow = string.Join(", ", Names.Where((_, i) => _operations[i] is not null));
        }
    }
}

/// <summary>What <see cref="RouteTable.Compile"/> made of one API version.</summary>
internal sealed class ApiRoutes(string basePath, int operations, RouteTable.Node root)
{
    public string BasePath { get; } = basePath;

    /// <summary>How many.</summary>
    public int Operations { get; } = operations;

    public RouteTable.Node Root { get; } = root;
}
